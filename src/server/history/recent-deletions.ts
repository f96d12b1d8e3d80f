import { ALL_ROWS, type Changes } from '../../protocol/changes.ts';

/** The size of half of the deletions that are remembered, in characters. A reaction comes a moment after the commit that it reacts to. */
const HALF_LENGTH = 256 * 1024;
/** The memory of a deletion in addition to its key, in characters. */
const ENTRY_LENGTH = 64;

/**
 * The latest deletions of rows, and the versions of their commits (`DERIVE-3`). They are in two halves, and the older one is forgotten
 * as a whole: removing the oldest entries of a Map one by one takes time with each entry that was removed before.
 */
export class RecentDeletions {
  /** By a key of the row or table. */
  #older: ReadonlyMap<string, number> = new Map();
  #newer = new Map<string, number>();
  /** The size of the newer half. */
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
      (key) => (this.#newer.get(key) ?? this.#older.get(key) ?? 0) > version,
    );
  }

  #note(key: string, version: number): void {
    if (!this.#newer.has(key)) this.#length += key.length + ENTRY_LENGTH;
    this.#newer.set(key, version);
    if (this.#length <= HALF_LENGTH) return;
    this.#older = this.#newer;
    this.#newer = new Map();
    this.#length = 0;
  }
}

function keyOf(...ids: readonly string[]): string {
  return JSON.stringify(ids);
}
