import { isCount, isList } from './json-shape.ts';
import type { StorageKeys } from './storage-keys.ts';

/** Leaves 1 KiB of the 128 KiB that a value may have for the host's serialisation of it. */
const PART_BYTES = 127 * 1024;
/** A text up to this length is stored as it is: even with two bytes for each character it fits in one value. */
const INLINE_LENGTH = 64_000;

/** Names the parts of a text that is stored in parts. */
export interface BlobReference {
  readonly blob: number;
  readonly parts: number;
  /** The length of the text in bytes of UTF-8. */
  readonly bytes: number;
}

/** One key and its value, to be written. */
export type StorageEntry = readonly [key: string, value: unknown];

/** A text as it is written: the parts first, then the reference that makes them valid. */
export interface EncodedBlob {
  readonly reference: BlobReference;
  readonly parts: readonly StorageEntry[];
}

/** A text as the value of one key. If it is too large, the value names its parts. */
export interface EncodedHead {
  readonly value: unknown;
  readonly reference: BlobReference | undefined;
  /** To be written before the value, or together with it. */
  readonly parts: readonly StorageEntry[];
  /** The approximate size in storage, in bytes. */
  readonly size: number;
}

/**
 * Splits a text into parts that fit in values. The parts are bytes, not strings: a string with one character above U+00FF
 * would be stored with two bytes for each character. The text must not hold lone surrogates; JSON never does.
 */
export function encodeBlob(keys: StorageKeys, blob: number, text: string): EncodedBlob {
  const bytes = new TextEncoder().encode(text);
  const parts: StorageEntry[] = [];
  for (let start = 0; start < bytes.length; start += PART_BYTES) {
    // A copy: for a view, hosts store its whole buffer.
    parts.push([keys.part(blob, parts.length), bytes.slice(start, start + PART_BYTES)]);
  }
  return { reference: { blob, parts: parts.length, bytes: bytes.length }, parts };
}

/** Encodes a text as the value of one key. `blob` is the number to use if it needs parts. */
export function encodeHead(keys: StorageKeys, blob: number, text: string): EncodedHead {
  if (text.length <= INLINE_LENGTH) {
    return { value: text, reference: undefined, parts: [], size: text.length };
  }
  const { reference, parts } = encodeBlob(keys, blob, text);
  const value = [reference.blob, reference.parts, reference.bytes];
  return { value, reference, parts, size: reference.bytes };
}

/** Returns the blob that a head's value names; undefined if the value is the text itself. Throws if it is neither. */
export function decodeHead(value: unknown): BlobReference | undefined {
  return typeof value === 'string' ? undefined : decodeReference(value);
}

/** Decodes `[blob, parts, bytes]`. Throws a SyntaxError for anything else. */
export function decodeReference(value: unknown): BlobReference {
  if (isList(value)) {
    const [blob, parts, bytes] = value;
    // A false number of parts may be so high that nobody could ask for all of them.
    if (isCount(blob) && isCount(bytes) && parts === Math.ceil(bytes / PART_BYTES))
      return { blob, parts, bytes };
  }
  throw new SyntaxError('it is neither text nor the name of a blob');
}

/** The keys of a blob's parts, in order; none if there is no blob. */
export function partKeys(keys: StorageKeys, reference: BlobReference | undefined): string[] {
  if (reference === undefined) return [];
  return Array.from({ length: reference.parts }, (_, index) => keys.part(reference.blob, index));
}

/** Joins a blob's parts. Throws a SyntaxError if one is missing or damaged. */
export function joinBlob(
  keys: StorageKeys,
  reference: BlobReference,
  parts: ReadonlyMap<string, unknown>,
): string {
  const views: Uint8Array[] = [];
  let length = 0;
  for (const key of partKeys(keys, reference)) {
    const part = parts.get(key);
    if (!ArrayBuffer.isView(part)) throw new SyntaxError(`its part ${key} is missing`);
    views.push(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
    length += part.byteLength;
  }
  if (length !== reference.bytes) throw new SyntaxError('its parts have another length');
  // All at once: decoding the parts as a stream is several times as slow.
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(joined(views, length));
}

function joined(views: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = views;
  if (first !== undefined && views.length === 1) return first;
  const bytes = new Uint8Array(length);
  let end = 0;
  for (const view of views) {
    bytes.set(view, end);
    end += view.byteLength;
  }
  return bytes;
}
