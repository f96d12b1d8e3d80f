import type { Json, JsonObject } from './json.ts';
import type { Cells } from './leaf-map.ts';
import { DELETED, type Leaf } from './leaf.ts';

/** What JSON has of a row, where every cell is a leaf as it stands. */
interface JsonLeaves extends JsonObject {
  readonly [cell: string]: Leaf;
}

/** Both markers are the last characters there are. */
const FIRST_MARKER = DELETED.charCodeAt(0);

/**
 * The cells of a row as JSON.parse made them: nothing to build, and less than half the memory of a Map, since engines share
 * the names of objects that have the same.
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

/** True if each cell is a leaf in its one spelling: neither an object nor a text that begins like a marker. */
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
