/** Encodes the parts of HTTP other than plain content: ETags, content with its cursor, and the body of an answer 201. */
import { encodeChanges, jsonToChanges, jsonToContent } from './changes-codec.ts';
import type { Changes } from './changes.ts';
import { cursorToJson, jsonToCursor, type Cursor } from './cursor.ts';
import { decodeJson, isArray, asObject } from './json.ts';
import type { Leaf } from './leaf.ts';
import type { LeafMap } from './leaf-map.ts';
import { toRefusalReason, type RefusalReason } from './messages/ack.ts';

const ETAG = /^(?:W\/)?"([\w-]{1,64})\.(\d{1,16})(?:\.([\w-]{1,16}))?"$/;

/** Encodes the ETag of a room's content (RFC 9110, section 8.8.3): its epoch, version, and tag if it has one. */
export function encodeETag({ epoch, version, tag }: Cursor): string {
  return tag === undefined ? `"${epoch}.${version}"` : `"${epoch}.${version}.${tag}"`;
}

/** Decodes an ETag of ours, weak or strong. Returns undefined for any other, or none: then this is not our room. */
export function decodeETag(etag: string | null): Cursor | undefined {
  const match = ETAG.exec(etag ?? '');
  const [, epoch, digits, tag] = match ?? [];
  const version = Number(digits);
  if (epoch === undefined || !Number.isSafeInteger(version)) return undefined;
  return tag === undefined ? { epoch, version } : { epoch, version, tag };
}

/** The answer to `GET <storePath>?cursor`. */
export interface LoadedContent {
  /** The cursor; undefined if the answer has none, as that of a stock room or of the app itself (STOCK-4). */
  readonly cursor: Cursor | undefined;
  /** The content; undefined if the room has no Store yet. */
  readonly content: LeafMap<Leaf> | undefined;
}

/** Encodes what is before and after the content in {@link encodeLoadedContent}. */
export function encodeAroundContent(cursor: Cursor): {
  readonly head: string;
  readonly tail: string;
} {
  return { head: `{"cursor":${JSON.stringify(cursorToJson(cursor))},"content":`, tail: '}' };
}

/** Encodes `{cursor, content}` (HTTP-7). `content` is JSON already; undefined if the room has no Store yet. */
export function encodeLoadedContent(cursor: Cursor, content: string | undefined): string {
  const { head, tail } = encodeAroundContent(cursor);
  return head + (content ?? 'null') + tail;
}

/** Decodes {@link encodeLoadedContent}, and plain content, which has no cursor. Throws `malformed` for anything else. */
export function decodeLoadedContent(text: string): LoadedContent {
  if (text === '') return { cursor: undefined, content: undefined };
  return decodeJson('content', text, (json) => {
    if (isArray(json)) return { cursor: undefined, content: jsonToContent(json) };
    const { cursor: cursorJson, content } = asObject(json);
    const cursor = jsonToCursor(cursorJson);
    const hasStore = content !== null && cursor.version > 0;
    return { cursor, content: hasStore ? jsonToContent(content) : undefined };
  });
}

/** The body of an answer 201, if the room's initial content differs from the content that the client gave (SEED-4). */
export interface SeedCorrection {
  /** The leaves that differ, as the room has them. A leaf is a Cell or a Value. */
  readonly correction: Changes;
  /** Undefined if it is a reason of a later version. */
  readonly reason: RefusalReason | undefined;
}

/** The body of an answer 201, where it is not empty. */
export type SeedAnswer =
  | (SeedCorrection & { readonly cursor?: never })
  /** The room holds just the content that the client gave, at this cursor (HTTP-9). */
  | { readonly cursor: Cursor; readonly correction?: never };

/** Encodes the body of an answer 201: `{correction, reason}` (SEED-4), or `{cursor}` (HTTP-9). */
export function encodeSeedAnswer(answer: SeedAnswer): string {
  if (answer.cursor !== undefined)
    return `{"cursor":${JSON.stringify(cursorToJson(answer.cursor))}}`;
  const { correction, reason } = answer;
  return `{"correction":${encodeChanges(correction)},"reason":${JSON.stringify(reason ?? null)}}`;
}

/** Decodes the body of an answer 201. Throws `malformed`. */
export function decodeSeedAnswer(text: string): SeedAnswer {
  return decodeJson('correction', text, (json) => {
    const { correction, reason, cursor } = asObject(json);
    return cursor === undefined
      ? { correction: jsonToChanges(correction), reason: toRefusalReason(reason) }
      : { cursor: jsonToCursor(cursor) };
  });
}
