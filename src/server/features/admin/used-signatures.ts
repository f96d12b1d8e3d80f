import { TinyBasePartyKitError } from '../../../protocol/errors.ts';
import { isList } from '../../storage/json-shape.ts';
import type { KeyValueStorage } from '../../storage/key-value-storage.ts';
import { StoredList } from '../../storage/stored-list.ts';

/** Each signature takes up to 90 bytes, and hosts store at most 128 KiB in a row. */
const MOST_SIGNATURES = 1_200;
const KEY = '@tinybase-partykit/admin';

/**
 * The id of a signature (`jti`), and the time when the signature ends, in milliseconds since 1970. The one that was used last
 * also has the latest end of those that were forgotten before.
 */
type UsedSignature = readonly [id: string, end: number, forgotten?: number];

/**
 * The signatures that were used and have not ended yet: none is valid twice (`ADMIN-4`). One row in storage has them all,
 * so that a restart forgets none. Only who has the secret can add one.
 */
export class UsedSignatures {
  readonly #stored: StoredList<UsedSignature>;
  readonly #ends: Map<string, number>;
  /** The latest end of a signature that was forgotten. */
  #forgotten: number;

  constructor(stored: StoredList<UsedSignature>, used: readonly UsedSignature[]) {
    this.#stored = stored;
    this.#ends = new Map(used.map(([id, end]) => [id, end]));
    this.#forgotten = Math.max(0, ...used.map(([, , forgotten = 0]) => forgotten));
  }

  /** Returns true if the signature was used. */
  has(id: string): boolean {
    return this.#ends.has(id);
  }

  /** Returns true if a signature with that end may have been forgotten: the clock was set back since. */
  isForgotten(end: number): boolean {
    return end <= this.#forgotten;
  }

  /**
   * Uses a signature, at once. Resolves when that is on disk. Throws `overloaded` if too many are in use, and rejects with
   * `unavailable` if it cannot be stored: then the signature is used all the same.
   */
  async use(id: string, end: number, now: number): Promise<void> {
    for (const [used, usedEnd] of this.#ends) {
      if (usedEnd > now) continue;
      this.#ends.delete(used);
      this.#forgotten = Math.max(this.#forgotten, usedEnd);
    }
    if (this.#ends.size >= MOST_SIGNATURES) {
      throw new TinyBasePartyKitError(
        'overloaded',
        `The room takes ${MOST_SIGNATURES} commands a minute at most: send it again a little later.`,
      );
    }
    this.#ends.set(id, end);
    const used = Array.from(this.#ends, (entry): UsedSignature =>
      entry[0] === id && this.#forgotten > 0 ? [...entry, this.#forgotten] : entry,
    );
    await this.#stored.write(used);
  }
}

/** Reads the signatures that were used. Rejects with `unavailable` if that fails: then no command is taken. */
export async function readUsedSignatures(
  storage: KeyValueStorage,
  storagePrefix: string,
): Promise<UsedSignatures> {
  const stored = new StoredList<UsedSignature>(storage, {
    key: storagePrefix + KEY,
    isItem: isUsedSignature,
    unreadable: 'The room cannot read which commands were sent: try again later.',
    unwritable:
      'The room could not store that the command was sent, and did nothing: send it again.',
  });
  return new UsedSignatures(stored, await stored.read());
}

function isUsedSignature(candidate: unknown): candidate is UsedSignature {
  if (!isList(candidate) || candidate.length < 2 || candidate.length > 3) return false;
  const [id, end, forgotten = 0] = candidate;
  return typeof id === 'string' && typeof end === 'number' && typeof forgotten === 'number';
}
