import type { Cursor } from '../../../protocol/messages.ts';
import type { FeatureRoom } from '../../room/room-feature.ts';
import { isCount, isList } from '../../storage/json-shape.ts';

const KEY = '@tinybase-partykit/saved';

/** The cursors of a room that its hooks have had. One row in storage (`SAVE-2`). */
export class SavedCursors {
  readonly #room: Pick<FeatureRoom<never>, 'storage' | 'storagePrefix'>;
  /** The last version that a hook has saved. */
  saved: Cursor | undefined;
  /** The version with which `onRoomDeleted` succeeded; undefined if somebody came since. */
  emptied: Cursor | undefined;
  /** True if the row is in storage. */
  isStored = false;

  constructor(room: Pick<FeatureRoom<never>, 'storage' | 'storagePrefix'>) {
    this.#room = room;
  }

  get key(): string {
    return this.#room.storagePrefix + KEY;
  }

  /** Takes the row from storage. An unreadable one counts as absent: then the hooks are called again. */
  read(row: unknown): void {
    this.isStored = typeof row === 'string';
    const [saved, emptied] = decode(row);
    this.saved = saved;
    this.emptied = emptied;
  }

  async write(): Promise<void> {
    this.isStored = true;
    const cursors = [this.saved, this.emptied].map((cursor) =>
      cursor === undefined ? null : [cursor.epoch, cursor.version, cursor.tag ?? null],
    );
    try {
      await this.#room.storage.put(this.key, JSON.stringify(cursors));
    } catch (error) {
      this.isStored = false;
      throw error;
    }
  }

  /** Call this when the storage was emptied. */
  forget(): void {
    this.isStored = false;
    this.saved = undefined;
    this.emptied = undefined;
  }
}

/** Returns true if both name the same version of the same history. */
export function isSameCursor(one: Cursor | undefined, other: Cursor | undefined): boolean {
  return (
    one !== undefined &&
    one.epoch === other?.epoch &&
    one.version === other.version &&
    one.tag === other.tag
  );
}

function decode(row: unknown): readonly (Cursor | undefined)[] {
  try {
    const cursors: unknown = typeof row === 'string' ? JSON.parse(row) : undefined;
    return isList(cursors) ? cursors.map(decodeCursor) : [];
  } catch {
    return [];
  }
}

function decodeCursor(cursor: unknown): Cursor | undefined {
  if (!isList(cursor)) return undefined;
  const [epoch, version, tag] = cursor;
  if (typeof epoch !== 'string' || !isCount(version)) return undefined;
  return { epoch, version, tag: typeof tag === 'string' ? tag : undefined };
}
