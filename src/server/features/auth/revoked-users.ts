import { TinyBasePartyKitError } from '../../../protocol/errors.ts';
import { isList } from '../../storage/json-shape.ts';
import type { KeyValueStorage } from '../../storage/key-value-storage.ts';

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
  readonly #storage: KeyValueStorage;
  readonly #key: string;
  /** In the order in which they were revoked. */
  readonly #times: Map<string, number>;

  constructor(storage: KeyValueStorage, key: string, revocations: readonly Revocation[]) {
    this.#storage = storage;
    this.#key = key;
    this.#times = new Map(revocations);
  }

  /** Returns true if a token of that user, made at that time, is revoked. */
  has(userId: string, issuedAt: number): boolean {
    const time = this.#times.get(userId);
    return time !== undefined && issuedAt <= time;
  }

  /** Revokes a user at once. Call {@link RevokedUsers.store} to make it durable. */
  add(userId: string, time: number): void {
    this.#times.delete(userId);
    this.#times.set(userId, time);
    for (const oldest of this.#times.keys()) {
      if (this.#times.size <= MOST_USERS && this.#row().length <= LONGEST_ROW) return;
      this.#times.delete(oldest);
    }
  }

  /** Resolves when all revocations are on disk. Rejects with `unavailable` if that failed: they last until the room sleeps. */
  async store(): Promise<void> {
    try {
      await this.#storage.put(this.#key, this.#row());
      await this.#storage.sync?.();
    } catch (cause) {
      const message = 'The room could not store that a user is revoked: revoke them again.';
      throw new TinyBasePartyKitError('unavailable', message, { cause });
    }
  }

  #row(): string {
    return JSON.stringify([...this.#times]);
  }
}

/** Reads the users that were revoked. Rejects with `unavailable` if that fails: then nobody may enter. */
export async function readRevokedUsers(
  storage: KeyValueStorage,
  storagePrefix: string,
): Promise<RevokedUsers> {
  const key = storagePrefix + KEY;
  try {
    const rows = await storage.get([key]);
    return new RevokedUsers(storage, key, revocationsOf(rows.get(key)));
  } catch (cause) {
    const message = 'The room cannot read which users are revoked: try again later.';
    throw new TinyBasePartyKitError('unavailable', message, { cause });
  }
}

/** Reads the stored row. Throws if it is damaged. */
function revocationsOf(row: unknown): readonly Revocation[] {
  if (row === undefined) return [];
  const list: unknown = typeof row === 'string' ? JSON.parse(row) : undefined;
  if (isList(list)) {
    const revocations = list.filter(isRevocation);
    if (revocations.length === list.length) return revocations;
  }
  throw new TypeError('The stored list of revoked users is damaged.');
}

function isRevocation(candidate: unknown): candidate is Revocation {
  if (!isList(candidate) || candidate.length !== 2) return false;
  const [userId, time] = candidate;
  return typeof userId === 'string' && typeof time === 'number';
}
