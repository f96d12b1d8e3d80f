import type { BlobReference } from './blob.ts';
import type { LogEntry } from './log-row.ts';

/** What is known of a row of the log that is in storage. */
export interface StoredRow {
  readonly number: number;
  /** The version after its first commit; if it has none, the version that the next commit got or will get. */
  readonly firstVersion: number;
  /** In bytes, nearly. */
  readonly size: number;
  /** Its parts, if it is large. */
  readonly reference: BlobReference | undefined;
}

/** The {@link StoredRow.firstVersion} of a row with these entries, of which there is at least one. */
export function firstVersionOf(entries: readonly LogEntry[]): number {
  const [first] = entries;
  if (first === undefined) return 0;
  return first.changes === undefined ? first.version + 1 : first.version;
}

/** The newest rows that are not larger than `size` together, oldest first. */
export function newestRows(rows: readonly StoredRow[], size: number): readonly StoredRow[] {
  let left = size;
  let first = rows.length;
  for (const row of rows.toReversed()) {
    left -= row.size;
    if (left < 0) break;
    first -= 1;
  }
  return rows.slice(first);
}

/** The size of all rows together, in bytes. */
export function sizeOfRows(rows: readonly StoredRow[]): number {
  return rows.reduce((size, row) => size + row.size, 0);
}
