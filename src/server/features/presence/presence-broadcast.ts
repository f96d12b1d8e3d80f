import { isEmptyChanges } from '../../../protocol/changes.ts';
import { paced } from '../../../protocol/pace.ts';
import * as fromRoom from '../../../protocol/presence/presence-from-room.ts';
import type { PresenceFromRoom } from '../../../protocol/presence/presence-from-room.ts';
import { CONNECTIONS } from '../../../protocol/presence/presence-tables.ts';
import type { PresenceMember, PresenceMembers } from './presence-members.ts';
import type { PresenceRoom } from './presence-room.ts';
import type { PresenceStore } from './presence-store.ts';

/** The shortest pause between two frames to everybody. */
const TELL_MILLISECONDS = 33;
/** The pause grows if the room would send more than this. */
const BYTES_PER_MILLISECOND = 8_192;
/** The cost of a frame in addition to its length, in bytes. */
const FRAME_BYTES = 100;

/** Tells everybody who has joined what changed: at once, then at most every 33 ms (`PRES-5`). */
export class PresenceBroadcast<Connection> {
  readonly #room: PresenceRoom<Connection>;
  readonly #members: PresenceMembers<Connection>;
  readonly #presence: PresenceStore<PresenceMember<Connection>>;
  readonly #askToTell: () => void;
  /** The members whose rows the room's own code changed. */
  readonly #altered = new Set<PresenceMember<Connection>>();
  #due: 'changes' | 'sign' | 'picture' = 'changes';

  constructor(
    room: PresenceRoom<Connection>,
    members: PresenceMembers<Connection>,
    presence: PresenceStore<PresenceMember<Connection>>,
  ) {
    this.#room = room;
    this.#members = members;
    this.#presence = presence;
    this.#askToTell = paced(
      (milliseconds, callback) => room.after(milliseconds, callback),
      () => this.#tell(),
    );
  }

  /** Tells everybody the changes. */
  changed(): void {
    this.#askToTell();
  }

  /** Also tells a member that the room's own code changed its row. */
  altered(member: PresenceMember<Connection>): void {
    this.#altered.add(member);
    this.#askToTell();
  }

  /** Sends everybody a frame, even if nothing changed, as a sign that the room is there. */
  sign(): void {
    if (this.#due === 'changes') this.#due = 'sign';
    this.#askToTell();
  }

  /** Sends everybody the full picture, because the room slept and does not know what they show. */
  picture(): void {
    this.#due = 'picture';
    this.#askToTell();
  }

  /** Tells everybody, and returns the pause until the next time. */
  #tell(): number {
    const due = this.#due;
    const { changes, author } = this.#presence.take();
    this.#due = 'changes';
    this.#correct();
    if (due === 'changes' && isEmptyChanges(changes)) return 0;
    const told = due === 'picture' ? this.#presence.picture() : changes;
    let json: string | undefined;
    let bytes = 0;
    for (const connection of this.#room.connections()) {
      const member = this.#members.of(connection);
      if (member === undefined || (due === 'changes' && member === author)) continue;
      json ??= fromRoom.encode({ type: 'changes', changes: told });
      this.#room.send(connection, fromRoom.letter, json);
      bytes += json.length + FRAME_BYTES;
    }
    return bytes === 0 ? 0 : Math.max(TELL_MILLISECONDS, bytes / BYTES_PER_MILLISECOND);
  }

  #correct(): void {
    for (const { id, lastRows } of this.#altered) {
      // A member learns from the changes that its row was deleted.
      if (!this.#presence.store.hasRow(CONNECTIONS, id)) continue;
      const own = this.#presence.ownChanges(id);
      for (const [connection, of] of lastRows)
        this.#send(connection, { type: 'correction', own, ...(of !== undefined && { of }) });
    }
    this.#altered.clear();
  }

  #send(connection: Connection, message: PresenceFromRoom): void {
    this.#room.send(connection, fromRoom.letter, fromRoom.encode(message));
  }
}
