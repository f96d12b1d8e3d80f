import { ALL_ROWS, type Changes } from '../../protocol/changes.ts';

/** The size of the deletions that are remembered, in characters. A reaction comes a moment after the commit that it reacts to. */
const MOST_LENGTH = 512 * 1024;
/** The memory of a deletion in addition to its key, in characters. */
const ENTRY_LENGTH = 64;

/** The latest deletions of rows, and the versions of their commits (`DERIVE-3`). */
export class RecentDeletions {
  /** By a key of the row or table, the oldest first. */
  readonly #versions = new Map<string, number>();
  #length = 0;

  /** Records the deletions of a commit. */
  note(version: number, deletedRows: Changes['deletedRows']): void {
    for (const [table, rows] of deletedRows) {
      if (rows === ALL_ROWS) this.#note(keyOf(table), version);
      else for (const row of rows) this.#note(keyOf(table, row), version);
    }
  }

  /** Returns true if the row was deleted after that version. */
  isAfter(version: number, table: string, row: string): boolean {
    return [keyOf(table), keyOf(table, row)].some(
      (key) => (this.#versions.get(key) ?? 0) > version,
    );
  }

  #note(key: string, version: number): void {
    this.#forget(key);
    this.#versions.set(key, version);
    this.#length += key.length + ENTRY_LENGTH;
    for (const oldest of this.#versions.keys()) {
      if (this.#length <= MOST_LENGTH) return;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    if (this.#versions.delete(key)) this.#length -= key.length + ENTRY_LENGTH;
  }
}

function keyOf(...ids: readonly string[]): string {
  return JSON.stringify(ids);
}
