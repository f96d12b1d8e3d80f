import type { Cell } from 'tinybase';

/**
 * A leaf is the smallest thing a Store holds: a Cell or a Value.
 *
 * Leaves travel, rest in storage and are compared in TinyBase's encoded form: a string, number, boolean or
 * null as it is; an object or array as `"\uFFFD"` followed by its JSON. A Store refuses such strings as plain
 * ones, so the two never collide.
 */
export type Leaf = string | number | boolean | null;

/** What a Store hands out and takes: a leaf with its object or array decoded. */
export type StoreLeaf = Cell;

/** Stands for `undefined` in JSON: the leaf, row or table is deleted. TinyBase's own marker. */
export const DELETED = '\uFFFC';

/** Precedes the JSON of an object or array. TinyBase's own marker. */
export const ENCODED = '\uFFFD';

/**
 * The table that Values live in, as far as this package is concerned: a Value is the leaf `(null, '', valueId)`.
 * A real table id is always a string, so the two never meet.
 */
export const VALUES = null;

/** A table id, or {@link VALUES}. */
export type TableKey = string | typeof VALUES;

/** Encodes what a Store hands out. */
export function encodeLeaf(leaf: StoreLeaf): Leaf;
export function encodeLeaf(leaf: StoreLeaf | undefined): Leaf | undefined;
export function encodeLeaf(leaf: StoreLeaf | undefined): Leaf | undefined {
  return typeof leaf === 'object' && leaf !== null ? ENCODED + JSON.stringify(leaf) : leaf;
}

/** Decodes a leaf into what a Store takes. Throws a SyntaxError for an encoded leaf that is not JSON. */
export function decodeLeaf(leaf: Leaf): StoreLeaf {
  if (typeof leaf === 'string' && leaf.startsWith(ENCODED)) {
    const decoded: unknown = JSON.parse(leaf.slice(1));
    if (isObjectOrArray(decoded)) return decoded;
    throw new SyntaxError('an encoded leaf holds neither an object nor an array');
  }
  return leaf;
}

function isObjectOrArray(decoded: unknown): decoded is StoreLeaf & object {
  return typeof decoded === 'object' && decoded !== null;
}

/** Broken JSON throws, and so does JSON nested too deeply to be written. */
function withoutThrowing(encode: () => Leaf): Leaf | undefined {
  try {
    return encode();
  } catch {
    return undefined;
  }
}

/**
 * The one spelling of a leaf, so that equal leaves are equal strings: an encoded object is parsed and written
 * again, as a Store does, and a plain one is encoded. Undefined for what no Store can hold: markers, broken JSON,
 * `NaN`.
 */
export function canonicalLeaf(candidate: unknown): Leaf | undefined {
  switch (typeof candidate) {
    case 'string': {
      if (candidate === DELETED) return undefined;
      if (!candidate.startsWith(ENCODED)) return candidate;
      return withoutThrowing(() => encodeLeaf(decodeLeaf(candidate)));
    }
    case 'number':
      return Number.isFinite(candidate) ? candidate : undefined;
    case 'boolean':
      return candidate;
    default:
      if (candidate === null) return null;
      return isObjectOrArray(candidate) ? withoutThrowing(() => encodeLeaf(candidate)) : undefined;
  }
}

/** Quotes, colon and comma of an id in JSON. */
export const PUNCTUATION = 4;
/** A number, boolean, null or deletion. */
const SCALAR = 5;

/** About how many characters a leaf takes as JSON, with its own id. */
export function leafSize(id: string, leaf: Leaf | undefined): number {
  return id.length + PUNCTUATION + (typeof leaf === 'string' ? leaf.length : SCALAR);
}
