/** What is wrong with JSON that is neither content nor changes, and where. Looked for only after it was refused. */
import { isArray, isObject, type Json } from './json.ts';
import { canonicalLeaf, DELETED } from './leaf.ts';

/** Ids may be of any length, and a message is for people. */
const LONGEST_ID = 60;

/** What keeps it from being `[tables, values]`; undefined if nothing does. */
export function faultOfContent(json: Json | undefined): string | undefined {
  if (!isArray(json) || json.length !== 2) return 'expected [tables, values]';
  return faultOfLeaves(json[0], json[1], isLeaf);
}

/** What keeps it from being changes; undefined if nothing does, or something about the deleted rows. */
export function faultOfChanges(json: Json | undefined): string | undefined {
  if (!isArray(json) || json.length < 2 || json.length > 3)
    return 'expected [tables, values] or [tables, values, deletedRows]';
  return faultOfLeaves(json[0], json[1], (leaf) => leaf === DELETED || isLeaf(leaf));
}

function faultOfLeaves(
  tables: Json | undefined,
  values: Json | undefined,
  isAllowed: (leaf: Json) => boolean,
): string | undefined {
  if (!isObject(tables)) return 'the tables are no object';
  if (!isObject(values)) return 'the values are no object';
  for (const [table, rows] of Object.entries(tables)) {
    if (!isObject(rows)) return `${pathOf(table)} is no object of rows`;
    for (const [row, cells] of Object.entries(rows)) {
      if (!isObject(cells)) return `${pathOf(table, row)} is no object of cells`;
      for (const [cell, leaf] of Object.entries(cells)) {
        if (!isAllowed(leaf))
          return `the cell ${pathOf(table, row, cell)} is not one that a Store can hold`;
      }
    }
  }
  for (const [value, leaf] of Object.entries(values)) {
    if (!isAllowed(leaf)) return `the value ${pathOf(value)} is not one that a Store can hold`;
  }
  return undefined;
}

function isLeaf(json: Json): boolean {
  return canonicalLeaf(json) !== undefined;
}

function pathOf(...ids: readonly string[]): string {
  return ids.map((id) => (id.length > LONGEST_ID ? `${id.slice(0, LONGEST_ID)}…` : id)).join('/');
}
