import type { Cell } from 'tinybase';

import { isDeeperThan, stringifyAnyDepth } from './json-depth.ts';

/**
 * A leaf: the smallest thing in a Store, a Cell or a Value.
 *
 * Messages, storage and comparisons use leaves in TinyBase's encoded form. A string, number, boolean or null stays as it
 * is. An object or array becomes `"\uFFFD"` followed by its JSON. A Store refuses plain strings that begin like that, so
 * the two never collide.
 */
export type Leaf = string | number | boolean | null;

/** A leaf as the methods of a Store return and accept it: an object or array is decoded. */
export type StoreLeaf = Cell;

/** TinyBase's marker for `undefined` in JSON: the leaf, row or table is deleted. */
export const DELETED = '\uFFFC';

/** TinyBase's marker before the JSON of an object or array. */
export const ENCODED = '\uFFFD';

/**
 * Stands for a table that holds the Values: this package addresses a Value as the leaf `(null, '', valueId)`. The ids of real
 * tables are strings, so none of them equals it.
 */
export const VALUES = null;

/** A table id, or {@link VALUES}. */
export type TableKey = string | typeof VALUES;

/** The most levels of objects and arrays that a leaf may have (`CHANGES-4`). */
export const DEEPEST_LEAF_LEVEL = 200;
/** The marker, and the brackets of one level more. */
const SHORTEST_DEEP_LEAF = 1 + 2 * (DEEPEST_LEAF_LEVEL + 1);

/** Returns true for an encoded leaf of more than {@link DEEPEST_LEAF_LEVEL} levels. It may have any number of levels. */
export function isTooDeep(leaf: Leaf | undefined): leaf is string {
  return (
    typeof leaf === 'string' &&
    leaf.length >= SHORTEST_DEEP_LEAF &&
    leaf.startsWith(ENCODED) &&
    isDeeperThan(leaf, DEEPEST_LEAF_LEVEL)
  );
}

/** The leaf of a Cell or Value that its own Store cannot read, because a `toJSON` gave undefined. */
export const UNREADABLE: string = `${ENCODED}undefined`;

/**
 * Returns true for a leaf that a Store can hold and no message may carry (`CHANGES-4`): one that {@link isTooDeep}, one that its
 * Store cannot read, and a text that begins like a marker. A Store takes the last two from an object's `toJSON`.
 */
export function isUnsendableLeaf(leaf: Leaf | undefined): leaf is string {
  if (typeof leaf !== 'string' || !leaf.startsWith(ENCODED)) return false;
  return (leaf[1] !== '{' && leaf[1] !== '[') || isTooDeep(leaf);
}

/** Encodes what a Store shows as a leaf. It may be a text that begins like a marker, see {@link isUnsendableLeaf}. */
export function encodeShown(shown: StoreLeaf): Leaf;
export function encodeShown(shown: StoreLeaf | undefined): Leaf | undefined;
export function encodeShown(shown: StoreLeaf | undefined): Leaf | undefined {
  return typeof shown === 'string' ? encodeText(shown) : encodeLeaf(shown);
}

function encodeText(text: string): Leaf {
  const isMarked = text === DELETED || text.startsWith(ENCODED);
  return isMarked ? ENCODED + JSON.stringify(text) : text;
}

/** Encodes a leaf that a Store returned. It may have any number of levels. */
export function encodeLeaf(leaf: StoreLeaf): Leaf;
export function encodeLeaf(leaf: StoreLeaf | undefined): Leaf | undefined;
export function encodeLeaf(leaf: StoreLeaf | undefined): Leaf | undefined {
  return typeof leaf === 'object' && leaf !== null ? ENCODED + stringifyAnyDepth(leaf) : leaf;
}

/** Decodes a leaf for a Store. Throws a SyntaxError for an encoded leaf that is not the JSON of an object or array. */
export function decodeLeaf(leaf: Leaf): StoreLeaf {
  if (typeof leaf === 'string' && leaf.startsWith(ENCODED)) {
    const decoded: unknown = JSON.parse(leaf.slice(1));
    if (isObjectOrArray(decoded)) return decoded;
    throw new SyntaxError('an encoded leaf holds no object or array');
  }
  return leaf;
}

function isObjectOrArray(decoded: unknown): decoded is StoreLeaf & object {
  return typeof decoded === 'object' && decoded !== null;
}

/** Returns undefined if `encode` throws, because of broken JSON or of an object that contains itself. */
function withoutThrowing(encode: () => Leaf | undefined): Leaf | undefined {
  try {
    return encode();
  } catch {
    return undefined;
  }
}

/**
 * Returns the canonical spelling of a leaf, so that equal leaves are equal strings. Parses an encoded object and writes it
 * again, as a Store does; encodes a plain one. A Store also encodes the text, number, boolean or null that a `toJSON` gave:
 * that is spelled as it is. Returns undefined for anything that no Store can hold: markers, broken JSON, `NaN`. A leaf that
 * {@link isTooDeep} stays as it is, without being parsed, so that a stored one can always be loaded.
 */
export function canonicalLeaf(candidate: unknown): Leaf | undefined {
  switch (typeof candidate) {
    case 'string': {
      if (candidate === DELETED) return undefined;
      if (!candidate.startsWith(ENCODED)) return candidate;
      const isKept: boolean = candidate === UNREADABLE || isTooDeep(candidate);
      if (isKept) return candidate;
      return withoutThrowing(() => encodeDecoded(JSON.parse(candidate.slice(1))));
    }
    case 'number':
      return Number.isFinite(candidate) ? candidate : undefined;
    case 'boolean':
      return candidate;
    default:
      if (candidate === null) return null;
      return isObjectOrArray(candidate)
        ? withoutThrowing(() => encodeObject(candidate))
        : undefined;
  }
}

/** Encodes an object or array, or what its `toJSON` gives, in the canonical spelling. */
function encodeObject(object: StoreLeaf & object): Leaf | undefined {
  const encoded = encodeLeaf(object);
  return isUnsendableLeaf(encoded) ? canonicalLeaf(encoded) : encoded;
}

/** Encodes what was encoded, in the canonical spelling. */
function encodeDecoded(decoded: unknown): Leaf | undefined {
  return typeof decoded === 'string' ? encodeText(decoded) : canonicalLeaf(decoded);
}

/** The length of the quotes, colon and comma around an id in JSON. */
export const PUNCTUATION = 4;
/** The length of a number, boolean, null or deletion in JSON, roughly. */
const SCALAR = 5;

/** The approximate memory of a leaf without its text and id, in bytes. */
export const LEAF_BYTES = 100;

/** Returns roughly how many characters the id of a table or row takes in JSON. */
export function idSize(id: string): number {
  return id.length + PUNCTUATION;
}

/** Returns roughly how many characters a leaf and its id take in JSON. */
export function leafSize(id: string, leaf: Leaf | undefined): number {
  return id.length + PUNCTUATION + (typeof leaf === 'string' ? leaf.length : SCALAR);
}
