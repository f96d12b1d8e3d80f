import { utf8Length } from '../../protocol/utf8.ts';

/** Separates our keys from TinyBase's own, which begin with `t`, `v` or `hasStore`. */
const NAMESPACE = '@tinybase-partykit/';
/** As many digits as the highest safe integer has. */
const NUMBER_DIGITS = 16;
const PART_DIGITS = 6;
/** Leaves what our keys need of the 2,048 bytes that a key may have, and some more. */
const LONGEST_PREFIX_BYTES = 1_900;

/** A range of keys: `start` is in it, `end` is not. */
export interface KeyRange {
  readonly start: string;
  readonly end: string;
}

/**
 * The names of what a room stores, all in one namespace under the room's storage prefix. Numbers in them are of fixed
 * width, so that the order of the keys is the order of the numbers.
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
        `The storage prefix takes ${bytes} bytes, ${LONGEST_PREFIX_BYTES} are possible.`,
      );
    }
    this.manifest = `${prefix}${NAMESPACE}manifest`;
    this.#row = `${prefix}${NAMESPACE}log/`;
    this.#part = `${prefix}${NAMESPACE}blob/`;
    this.rows = childrenOf(this.#row);
    this.parts = childrenOf(this.#part);
  }

  /** The key of the log's row with that number. */
  row(number: number): string {
    return this.#row + digits(number, NUMBER_DIGITS);
  }

  /** The number in a key of {@link StorageKeys.rows}, or undefined if it is no such key. */
  rowNumber(key: string): number | undefined {
    const number = Number(key.slice(this.#row.length));
    return this.row(number) === key ? number : undefined;
  }

  /** The key of one part of a blob; parts count from 0. */
  part(blob: number, index: number): string {
    return `${this.#part}${digits(blob, NUMBER_DIGITS)}/${digits(index, PART_DIGITS)}`;
  }

  /** The number of the blob in a key of {@link StorageKeys.parts}, or undefined if it is no such key. */
  blobNumber(key: string): number | undefined {
    const [blob, index] = key.slice(this.#part.length).split('/').map(Number);
    return blob !== undefined && index !== undefined && this.part(blob, index) === key
      ? blob
      : undefined;
  }
}

/** Where to go on listing after `key`: no key of ours is another one's beginning. */
export function afterKey(key: string): string {
  return `${key}!`;
}

function childrenOf(folder: string): KeyRange {
  // The character after "/", so that all of the folder is in the range and nothing else.
  return { start: folder, end: `${folder.slice(0, -1)}0` };
}

function digits(number: number, width: number): string {
  return String(number).padStart(width, '0');
}
