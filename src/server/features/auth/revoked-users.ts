import { isList } from '../../storage/json-shape.ts';
import type { KeyValueStorage } from '../../storage/key-value-storage.ts';
import { StoredList } from '../../storage/stored-list.ts';

/** A room remembers this many users that were revoked (`GATE-9`). */
const MOST_USERS = 1000;
/** In characters, of up to 3 bytes each: hosts store at most 128 KiB in a row. */
const LONGEST_ROW = 40_000;
const KEY = '@tinybase-partykit/revoked';

/** A user, and the time at which they were revoked, in milliseconds since 1970. */
type Revocation = readonly [userId: string, time: number];

/**
 * The users that were revoked in a room: their tokens from before the revocation are invalid (`GATE-9`). One row in
 * storage holds the latest 1,000, or fewer if their ids are long.
 */
export class RevokedUsers {
  readonly #stored: StoredList<Revocation>;
  /** In the order in which they were revoked. */
  readonly #times: Map<string, number>;

  constructor(stored: StoredList<Revocation>, revocations: readonly Revocation[]) {
    this.#stored = stored;
    this.#times = new Map(revocations);
  }

  /** Returns true if a token of that user, made at that time, is revoked. */
  has(userId: string, issuedAt: number): boolean {
    const time = this.#times.get(userId);
    return time !== undefined && issuedAt <= time;
  }

  /** Revokes a user at once. Call {@link RevokedUsers.store} to make it durable. */
  add(userId: string, time: number): void {
    // The clock may have been set back since the user was revoked before: no token of then becomes valid again.
    const latest = Math.max(time, this.#times.get(userId) ?? time);
    this.#times.delete(userId);
    this.#times.set(userId, latest);
    for (const oldest of this.#times.keys()) {
      if (this.#times.size <= MOST_USERS && JSON.stringify(this.#list).length <= LONGEST_ROW)
        return;
      this.#times.delete(oldest);
    }
  }

  /** Resolves when all revocations are on disk. Rejects with `unavailable` if that failed: they last until the room sleeps. */
  store(): Promise<void> {
    return this.#stored.write(this.#list);
  }

  get #list(): readonly Revocation[] {
    return [...this.#times];
  }
}

/** Reads the users that were revoked. Rejects with `unavailable` if that fails: then nobody may enter. */
export async function readRevokedUsers(
  storage: KeyValueStorage,
  storagePrefix: string,
): Promise<RevokedUsers> {
  const stored = new StoredList<Revocation>(storage, {
    key: storagePrefix + KEY,
    isItem: isRevocation,
    unreadable: 'The room cannot read which users are revoked: try again later.',
    unwritable: 'The room could not store that a user is revoked: revoke them again.',
  });
  return new RevokedUsers(stored, await stored.read());
}

function isRevocation(candidate: unknown): candidate is Revocation {
  if (!isList(candidate) || candidate.length !== 2) return false;
  const [userId, time] = candidate;
  return typeof userId === 'string' && typeof time === 'number';
}
