import { composeChanges, type Changes } from '../../protocol/changes.ts';
import { decodeChanges } from '../../protocol/codec.ts';

interface KeptCommit {
  readonly version: number;
  /** Encoded, which takes a fourth of the memory. It is decoded only when a client comes back. */
  readonly changes: string;
}

/** The history may always have this size, in characters. */
const SMALLEST_LIMIT = 1_048_576;

/** The latest commits, in memory: a client that comes back gets those that it has missed. */
export class CommitHistory {
  readonly #commits: KeptCommit[] = [];
  #first = 0;
  #size = 0;

  /** Adds a commit. Its changes are encoded. Versions rise by one. */
  add(version: number, changes: string): void {
    this.#commits.push({ version, changes });
    this.#size += changes.length;
  }

  /**
   * Returns what happened after that version, up to `current`; undefined if the history does not reach back so far
   * (`JOIN-2`).
   */
  since(version: number, current: number): Changes | undefined {
    const missed = current - version;
    if (missed < 0 || missed > this.#commits.length - this.#first) return undefined;
    const from = this.#commits.length - missed;
    return composeChanges(this.#commits.slice(from).map(({ changes }) => decodeChanges(changes)));
  }

  /** Forgets the commits before that version. */
  trimBefore(version: number): void {
    for (
      let oldest = this.#oldest();
      oldest !== undefined && oldest.version < version;
      oldest = this.#oldest()
    ) {
      this.#drop(oldest);
    }
  }

  /** Forgets the oldest commits, so that the history stays not much larger than the content. */
  trimToSize(contentSize: number): void {
    const limit = Math.max(2 * contentSize, SMALLEST_LIMIT);
    for (
      let oldest = this.#oldest();
      oldest !== undefined && this.#size > limit;
      oldest = this.#oldest()
    ) {
      this.#drop(oldest);
    }
  }

  #oldest(): KeptCommit | undefined {
    return this.#commits[this.#first];
  }

  #drop(commit: KeptCommit): void {
    this.#size -= commit.changes.length;
    this.#first += 1;
    // Only now and then, because removing the first of many moves all others.
    if (this.#first * 2 > this.#commits.length) {
      this.#commits.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
