/**
 * Describes the fault in JSON that is neither content nor changes, and where it is. Slower than decoding, so it runs
 * only after decoding has failed.
 */
import { isArray, isObject, type Json } from './json.ts';
import { canonicalLeaf, DELETED } from './leaf.ts';

/** People read these messages, and ids may have any length. */
const LONGEST_ID = 60;

/** Describes the first fault that keeps JSON from being `[tables, values]`; undefined if there is none. */
export function describeInvalidContent(json: Json | undefined): string | undefined {
  if (!isArray(json) || json.length !== 2) return 'expected [tables, values]';
  return describeInvalidLeaves(json[0], json[1], isLeaf);
}

/** Describes the first fault that keeps JSON from being changes; undefined if there is none in its tables and values. */
export function describeInvalidChanges(json: Json | undefined): string | undefined {
  if (!isArray(json) || json.length < 2 || json.length > 3)
    return 'expected [tables, values] or [tables, values, deletedRows]';
  return describeInvalidLeaves(json[0], json[1], (leaf) => leaf === DELETED || isLeaf(leaf));
}

function describeInvalidLeaves(
  tables: Json | undefined,
  values: Json | undefined,
  isAllowed: (leaf: Json) => boolean,
): string | undefined {
  if (!isObject(tables)) return 'tables must be an object';
  if (!isObject(values)) return 'values must be an object';
  for (const [table, rows] of Object.entries(tables)) {
    if (!isObject(rows)) return `${pathOf(table)} must be an object of rows`;
    for (const [row, cells] of Object.entries(rows)) {
      if (!isObject(cells)) return `${pathOf(table, row)} must be an object of cells`;
      for (const [cell, leaf] of Object.entries(cells)) {
        if (!isAllowed(leaf)) return `a Store cannot hold the cell ${pathOf(table, row, cell)}`;
      }
    }
  }
  for (const [value, leaf] of Object.entries(values)) {
    if (!isAllowed(leaf)) return `a Store cannot hold the value ${pathOf(value)}`;
  }
  return undefined;
}

function isLeaf(json: Json): boolean {
  return canonicalLeaf(json) !== undefined;
}

function pathOf(...ids: readonly string[]): string {
  return ids.map((id) => (id.length > LONGEST_ID ? `${id.slice(0, LONGEST_ID)}…` : id)).join('/');
}
