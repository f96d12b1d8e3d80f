import type { Changes } from '../../protocol/changes.ts';
import { decodeChanges, encodeChanges } from '../../protocol/codec.ts';
import type { BlobReference } from './blob.ts';
import { isCount, isList } from './json-shape.ts';

/** The push that made an entry. */
interface Author {
  readonly clientId: string;
  /** The number of the push. */
  readonly push: number;
}

/** One commit, or one push that made no commit. */
export interface LogEntry {
  /** The room's version after it. */
  readonly version: number;
  /** The changes; undefined for a push that made no commit (then the version is unchanged). */
  readonly changes: Changes | undefined;
  /** The changes as {@link encodeChanges} encodes them, if they were encoded before. */
  readonly encoded?: string | undefined;
  /** The push; undefined for changes by the room's own code, stock peers and seeds. */
  readonly author: Author | undefined;
  /** The tag of the version, if it is a commit that was loaded. */
  readonly tag?: string | undefined;
}

/** The entries that one write adds to the log (`DURABLE-2`). */
export interface LogRow {
  /** The time of the write, in milliseconds since 1970. */
  readonly now: number;
  /** The tag of all versions that its commits made (`JOIN-9`). */
  readonly tag?: string | undefined;
  readonly entries: readonly LogEntry[];
}

/**
 * Encodes a row as lines of JSON. The first line is the time or `[time, tag]`. Each entry has two lines: `[version]` or
 * `[version, clientId, push]`, and its changes; the second is empty if there are none.
 */
export function encodeLogRow({ now, tag, entries }: LogRow): string {
  const lines = [JSON.stringify(tag === undefined ? now : [now, tag])];
  for (const { version, changes, encoded, author } of entries) {
    lines.push(
      JSON.stringify(author === undefined ? [version] : [version, author.clientId, author.push]),
    );
    lines.push(encoded ?? (changes === undefined ? '' : encodeChanges(changes)));
  }
  return lines.join('\n');
}

/** Decodes {@link encodeLogRow}. Throws if the text is anything else. */
export function decodeLogRow(text: string): LogRow {
  const [first = '', ...lines] = text.split('\n');
  const head: unknown = JSON.parse(first);
  const [now, tag]: readonly unknown[] = isList(head) ? head : [head];
  const isTag = tag === undefined || typeof tag === 'string';
  if (typeof now !== 'number' || !isTag || lines.length % 2 === 1)
    throw new SyntaxError('it is not a row of a log');
  const entries: LogEntry[] = [];
  for (let index = 0; index < lines.length; index += 2) {
    const changes = lines[index + 1] ?? '';
    entries.push({
      ...decodeEntryHead(lines[index] ?? ''),
      changes: changes === '' ? undefined : decodeChanges(changes),
      encoded: changes === '' ? undefined : changes,
      ...(changes !== '' && tag !== undefined && { tag }),
    });
  }
  return { now, ...(tag !== undefined && { tag }), entries };
}

function decodeEntryHead(line: string): Pick<LogEntry, 'version' | 'author'> {
  const head: unknown = JSON.parse(line);
  if (isList(head)) {
    const [version, clientId, push] = head;
    if (isCount(version) && head.length === 1) return { version, author: undefined };
    if (isCount(version) && typeof clientId === 'string' && isCount(push)) {
      return { version, author: { clientId, push } };
    }
  }
  throw new SyntaxError('it is not a row of a log');
}

/** A row of the log that is in storage. */
export interface StoredRow {
  readonly number: number;
  /** The version after its first commit; if it has none, the version that the next commit got or will get. */
  readonly firstVersion: number;
  /** The approximate size, in bytes. */
  readonly size: number;
  /** The reference to its parts, if it is large. */
  readonly reference: BlobReference | undefined;
}

/** Returns the {@link StoredRow.firstVersion} of a row with these entries (at least one). */
export function firstVersionOf(entries: readonly LogEntry[]): number {
  const [first] = entries;
  if (first === undefined) return 0;
  return first.changes === undefined ? first.version + 1 : first.version;
}

/** Returns the newest rows whose total size is at most `size`, oldest first. */
export function newestRows(rows: readonly StoredRow[], size: number): readonly StoredRow[] {
  let left = size;
  let first = rows.length;
  for (let row = rows[first - 1]; row !== undefined; row = rows[first - 1]) {
    left -= row.size;
    if (left < 0) break;
    first -= 1;
  }
  return rows.slice(first);
}

/** Returns the size of all rows together, in bytes. */
export function sizeOfRows(rows: readonly StoredRow[]): number {
  return rows.reduce((size, row) => size + row.size, 0);
}
