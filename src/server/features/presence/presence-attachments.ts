import { canonicalLeaf, type Leaf } from '../../../protocol/leaf.ts';
import type { PresenceCells } from '../../../protocol/presence/presence-from-client.ts';
import { isRecord } from '../../storage/json-shape.ts';
import type { PresenceMember } from './presence-members.ts';
import type { PresenceRoom } from './presence-room.ts';
import type { PresenceStore } from './presence-store.ts';

const SLOT = 'presence';
const ATTACH_MILLISECONDS = 1_000;

/** Attaches rows to their connections, within a second of a change, so that they survive a sleep of the room (`PRES-8`). */
export class PresenceAttachments<Connection> {
  readonly #room: PresenceRoom<Connection>;
  readonly #presence: Pick<PresenceStore<never>, 'connectionCells'>;
  readonly #changed = new Set<PresenceMember<Connection>>();

  constructor(
    room: PresenceRoom<Connection>,
    presence: Pick<PresenceStore<never>, 'connectionCells'>,
  ) {
    this.#room = room;
    this.#presence = presence;
  }

  /** Returns the row that is attached to a connection; undefined if it had not joined. */
  read(connection: Connection): PresenceCells | undefined {
    const slot = this.#room.readSlot(connection, SLOT);
    if (!isRecord(slot)) return undefined;
    const cells = new Map<string, Leaf>();
    for (const [cell, value] of Object.entries(slot)) {
      const leaf = canonicalLeaf(value);
      if (leaf !== undefined) cells.set(cell, leaf);
    }
    return cells;
  }

  /** Attaches the row of a member, a little later. */
  changed(member: PresenceMember<Connection>): void {
    if (this.#changed.size === 0) this.#room.after(ATTACH_MILLISECONDS, () => this.#attach());
    this.#changed.add(member);
  }

  /** Forgets the row of a connection that has left presence and is still open. */
  remove(connection: Connection): void {
    this.#room.writeSlot(connection, SLOT, null);
  }

  #attach(): void {
    for (const { id, lastRows } of this.#changed) {
      const slot = Object.fromEntries(this.#presence.connectionCells(id) ?? []);
      for (const connection of lastRows.keys()) this.#room.writeSlot(connection, SLOT, slot);
    }
    this.#changed.clear();
  }
}
