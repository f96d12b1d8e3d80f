import type { Json, JsonObject } from './json.ts';
import type { Cells } from './leaf-map.ts';
import { DELETED, type Leaf } from './leaf.ts';

/** A row in JSON whose cells are all leaves already (a leaf is a Cell or a Value). */
interface JsonLeaves extends JsonObject {
  readonly [cell: string]: Leaf;
}

/** The markers are nearly the last UTF-16 code units, so any text that begins with this one or a later one may be marked. */
const FIRST_MARKER = DELETED.charCodeAt(0);

/**
 * The cells of a row, as the object that JSON.parse made. It takes no time to build, and less than half the memory of a Map,
 * because engines share the property names of objects that have the same ones.
 */
export class JsonCells implements Cells<Leaf> {
  readonly #json: JsonLeaves;

  constructor(json: JsonLeaves) {
    this.#json = json;
  }

  get size(): number {
    return Object.keys(this.#json).length;
  }

  get(cell: string): Leaf | undefined {
    return this.has(cell) ? this.#json[cell] : undefined;
  }

  has(cell: string): boolean {
    return Object.hasOwn(this.#json, cell);
  }

  keys(): Iterable<string> {
    return Object.keys(this.#json);
  }

  values(): Iterable<Leaf> {
    return Object.values(this.#json);
  }

  [Symbol.iterator](): Iterator<[string, Leaf]> {
    return Object.entries(this.#json).values();
  }
}

/** Returns true if each cell is a canonical leaf: neither an object nor a text that may begin with a marker. */
export function areLeaves(
  cells: JsonObject,
  values: readonly Json[] = Object.values(cells),
): cells is JsonLeaves {
  return values.every(isPlainLeaf);
}

function isPlainLeaf(json: Json): json is Leaf {
  switch (typeof json) {
    case 'string':
      return !(json.charCodeAt(0) >= FIRST_MARKER);
    case 'number':
      return Number.isFinite(json);
    case 'boolean':
      return true;
    default:
      return json === null;
  }
}
