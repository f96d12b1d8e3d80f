import type { Cursor } from '../../protocol/messages.ts';
import { decodeReference, type BlobReference } from './blob.ts';
import type { ClientRecord } from './client-record.ts';
import { isCount, isList, isRecord } from './json-shape.ts';

/** The format's number. It rises when earlier releases would misread what a release stores. */
const FORMAT = 2;

/** The manifest makes a snapshot valid (`DURABLE-4`): it names its blobs, and the last row of the log that it includes. */
export interface Manifest {
  /** The cursor of the snapshot. */
  readonly cursor: Cursor;
  /** The time at which the manifest was written, in milliseconds since 1970; undefined if it does not say. */
  readonly time?: number | undefined;
  /**
   * The pages of the content, in order. If several pages have the same row, the last one counts. Each page is a content of
   * its own, as TinyBase encodes it. Empty content has no pages.
   */
  readonly pages: readonly BlobReference[];
  /** The first row of the log that is kept; earlier rows are garbage. One more than `lastRow` if no row is kept. */
  readonly firstRow: number;
  /** The last row of the log that the snapshot includes. */
  readonly lastRow: number;
  /** Client records, as of the last row that the snapshot includes. */
  readonly clients: ReadonlyMap<string, ClientRecord>;
}

/** Encodes a manifest as lines of JSON: the first has everything except the clients, then each client has a line. */
export function encodeManifest({
  cursor,
  time,
  pages,
  firstRow,
  lastRow,
  clients,
}: Manifest): string {
  const head = {
    format: FORMAT,
    epoch: cursor.epoch,
    version: cursor.version,
    tag: cursor.tag,
    time,
    pages: pages.map(({ blob, parts, bytes }) => [blob, parts, bytes]),
    log: [firstRow, lastRow],
  };
  const lines = [JSON.stringify(head)];
  for (const [id, { lastPush, ackedPush, touched, generation }] of clients) {
    lines.push(JSON.stringify([id, lastPush, ackedPush, touched, generation]));
  }
  return lines.join('\n');
}

/** Decodes {@link encodeManifest}. Throws if the text is anything else, or of another format. */
export function decodeManifest(text: string): Manifest {
  const [first = '', ...lines] = text.split('\n');
  const head: unknown = JSON.parse(first);
  if (!isRecord(head) || !isCount(head['format'])) throw notManifest();
  const { format, epoch, version, tag, time, pages, log } = head;
  if (format !== FORMAT) {
    throw new ForeignFormat(
      `it has the format ${JSON.stringify(format)}, and this release of tinybase-partykit reads ${FORMAT}: use the release that wrote it`,
    );
  }
  const [firstRow, lastRow] = isList(log) ? log : [];
  if (typeof epoch !== 'string' || !isCount(version) || !isCount(firstRow) || !isCount(lastRow)) {
    throw notManifest();
  }
  if (!isList(pages) || (tag !== undefined && typeof tag !== 'string')) throw notManifest();
  const clients = new Map(lines.map(decodeClient));
  return {
    cursor: tag === undefined ? { epoch, version } : { epoch, version, tag },
    time: typeof time === 'number' ? time : undefined,
    pages: pages.map(decodeReference),
    firstRow,
    lastRow,
    clients,
  };
}

/** The error for a manifest that another release wrote. It is not damaged: only {@link RoomStorage.wipe} may remove it. */
export class ForeignFormat extends SyntaxError {}

function decodeClient(line: string): [string, ClientRecord] {
  const client: unknown = JSON.parse(line);
  if (isList(client)) {
    const [id, lastPush, ackedPush, touched, generation] = client;
    if (
      typeof id === 'string' &&
      isCount(lastPush) &&
      isCount(ackedPush) &&
      typeof touched === 'number' &&
      isCount(generation)
    ) {
      return [id, { lastPush, ackedPush, touched, generation }];
    }
  }
  throw notManifest();
}

function notManifest(): SyntaxError {
  return new SyntaxError('it is not a manifest');
}
