import type { Changes } from '../../protocol/changes.ts';
import { decodeChanges, encodeChanges } from '../../protocol/codec.ts';
import { isCount, isList } from './json-shape.ts';

/** Whose push it was. */
interface Author {
  readonly clientId: string;
  /** The number of the push. */
  readonly push: number;
}

/** One commit, or one push that made none. */
export interface LogEntry {
  /** The room's version after it. */
  readonly version: number;
  /** What happened; undefined for a push that made no commit (then version is the unchanged one). */
  readonly changes: Changes | undefined;
  /** The changes as {@link encodeChanges} has them, if that was asked for before. */
  readonly encoded?: string | undefined;
  /** Whose push it was; undefined for server-side changes, stock peers and seeds. */
  readonly author: Author | undefined;
}

/** What one write adds to the log (`DURABLE-2`). */
export interface LogRow {
  /** When it was written, in milliseconds since 1970. */
  readonly now: number;
  readonly entries: readonly LogEntry[];
}

/**
 * A row as text. Lines of JSON: the time, then for each entry one line that says `[version]` or
 * `[version, clientId, push]`, and one with its changes, empty if there are none.
 */
export function encodeLogRow({ now, entries }: LogRow): string {
  const lines = [JSON.stringify(now)];
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
  const now: unknown = JSON.parse(first);
  if (typeof now !== 'number' || lines.length % 2 === 1)
    throw new SyntaxError('it is not a row of a log');
  const entries: LogEntry[] = [];
  for (let index = 0; index < lines.length; index += 2) {
    const changes = lines[index + 1] ?? '';
    entries.push({
      ...decodeEntryHead(lines[index] ?? ''),
      changes: changes === '' ? undefined : decodeChanges(changes),
      encoded: changes === '' ? undefined : changes,
    });
  }
  return { now, entries };
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
