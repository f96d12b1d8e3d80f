import { utf8Length } from '../../protocol/utf8.ts';

/** Separates our keys from TinyBase's own, which begin with `t`, `v` or `hasStore`. */
const NAMESPACE = '@tinybase-partykit/';
/** The number of digits of the highest safe integer. */
const NUMBER_DIGITS = 16;
const PART_DIGITS = 6;
/** A key may have 2,048 bytes. This leaves more than enough for the rest of a key. */
const LONGEST_PREFIX_BYTES = 1_900;

/** A range of keys: `start` is in it, `end` is not. */
export interface KeyRange {
  readonly start: string;
  readonly end: string;
}

/**
 * The keys of a room, all in one namespace under its storage prefix. Their numbers have a fixed width, so that the order
 * of the keys is the order of the numbers.
 */
export class StorageKeys {
  /** Names the snapshot and the first row of the log; it exists if and only if the room has a Store. */
  readonly manifest: string;
  /** Every row of the log. */
  readonly rows: KeyRange;
  /** Every part of every blob. */
  readonly parts: KeyRange;
  readonly #row: string;
  readonly #part: string;

  /** Throws a RangeError for a prefix of more than 1,900 bytes. */
  constructor(prefix: string) {
    const bytes = utf8Length(prefix, LONGEST_PREFIX_BYTES);
    if (bytes > LONGEST_PREFIX_BYTES) {
      throw new RangeError(
        `The storagePrefix has ${bytes} bytes, and at most ${LONGEST_PREFIX_BYTES} are possible: make it shorter.`,
      );
    }
    this.manifest = manifestKey(prefix);
    this.#row = `${prefix}${NAMESPACE}log/`;
    this.#part = `${prefix}${NAMESPACE}blob/`;
    this.rows = childrenOf(this.#row);
    this.parts = childrenOf(this.#part);
  }

  /** Returns the key of the log's row with that number. */
  row(number: number): string {
    return this.#row + digits(number, NUMBER_DIGITS);
  }

  /** Returns the number in a key of {@link StorageKeys.rows}; undefined for any other key. */
  rowNumber(key: string): number | undefined {
    const number = Number(key.slice(this.#row.length));
    return this.row(number) === key ? number : undefined;
  }

  /** Returns the key of one part of a blob. Parts count from 0. */
  part(blob: number, index: number): string {
    return `${this.#part}${digits(blob, NUMBER_DIGITS)}/${digits(index, PART_DIGITS)}`;
  }

  /** Returns the number of the blob in a key of {@link StorageKeys.parts}; undefined for any other key. */
  blobNumber(key: string): number | undefined {
    const [blob, index] = key.slice(this.#part.length).split('/').map(Number);
    return blob !== undefined && index !== undefined && this.part(blob, index) === key
      ? blob
      : undefined;
  }
}

/** Returns the key of the manifest of the room with that storage prefix. */
export function manifestKey(prefix: string): string {
  return `${prefix}${NAMESPACE}manifest`;
}

/** Returns the start of a list that continues after `key`. No key of this package is the beginning of another one. */
export function afterKey(key: string): string {
  return `${key}!`;
}

function childrenOf(folder: string): KeyRange {
  // The character after "/", so that the range has exactly the folder.
  return { start: folder, end: `${folder.slice(0, -1)}0` };
}

function digits(number: number, width: number): string {
  return String(number).padStart(width, '0');
}
