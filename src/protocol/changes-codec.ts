/** Changes and content as JSON. The codec of the messages builds on it. */
import { ALL_ROWS, ChangesBuilder, isEmptyChanges, type Changes } from './changes.ts';
import {
  asArray,
  asObject,
  asString,
  decodeJson,
  emptyObject,
  ShapeError,
  type Json,
  type MutableJsonObject,
} from './json.ts';
import { areLeaves, JsonCells } from './json-cells.ts';
import { canonicalLeaf, DELETED, VALUES, type Leaf, type TableKey } from './leaf.ts';
import { LeafMap, type Cells } from './leaf-map.ts';
import type { StockChanges } from './messages.ts';
import { faultOfContent } from './shape-fault.ts';

/**
 * Encodes changes, for the wire and for storage: `[tables, values]`, and the deleted rows if there are any: row ids by
 * table id, or 0 for all. Text at once, because most changes are small, and objects with ids for keys cost
 * engines more; of 100,000 cells it takes one and a half times as long.
 */
export function encodeChanges({ deletedRows, leaves }: Changes): string {
  const tables: string[] = [];
  let values = '{}';
  for (const table of leaves.tables()) {
    if (table === VALUES) values = encodeCells(leaves.cells(VALUES, ''));
    else {
      const rows: string[] = [];
      for (const [row, cells] of leaves.rows(table))
        rows.push(`${JSON.stringify(row)}:${encodeCells(cells)}`);
      tables.push(`${JSON.stringify(table)}:{${rows.join()}}`);
    }
  }
  if (deletedRows.size === 0) return `[{${tables.join()}},${values}]`;
  return `[{${tables.join()}},${values},${encodeDeletedRows(deletedRows)}]`;
}

function encodeCells(cells: Cells<Leaf | undefined>): string {
  let text = '';
  for (const [cell, leaf] of cells) {
    const separator = text === '' ? '' : ',';
    text += `${separator}${JSON.stringify(cell)}:${JSON.stringify(leaf === undefined ? DELETED : leaf)}`;
  }
  return `{${text}}`;
}

function encodeDeletedRows(deletedRows: Changes['deletedRows']): string {
  const texts: string[] = [];
  for (const [table, rows] of deletedRows)
    texts.push(`${JSON.stringify(table)}:${rows === ALL_ROWS ? 0 : JSON.stringify([...rows])}`);
  return `{${texts.join()}}`;
}

/** Decodes {@link encodeChanges}. Throws `malformed`. */
export function decodeChanges(text: string): Changes {
  return decodeJson('changes', text, jsonToChanges);
}

/** Encodes content as TinyBase does: `[tables, values]` with encoded leaves. */
export function encodeContent(content: LeafMap<Leaf>): string {
  return JSON.stringify(leavesToJson(content));
}

/**
 * Decodes `[tables, values]`; objects and arrays may be encoded or plain. Undefined for an empty text: there is
 * no Store. Throws `malformed` for anything else.
 */
export function decodeContent(text: string): LeafMap<Leaf> | undefined {
  if (text === '') return undefined;
  const content = new LeafMap<Leaf>();
  decodeRows(text, (table, row, cells) => content.setRow(table, row, cells));
  return content;
}

/** The same, row by row: each that has cells, and Values as a row of theirs. `malformed` may come half-way. */
export function decodeRows(
  text: string,
  visit: (table: TableKey, row: string, cells: Cells<Leaf>) => void,
): void {
  const visitAll = (json: Json | undefined): void => {
    const [tables, values] = asArray(json, 2, 2);
    const tablesJson = asObject(tables);
    for (const table of Object.keys(tablesJson)) {
      const rows = asObject(tablesJson[table]);
      for (const row of Object.keys(rows)) {
        const cells = jsonToCells(rows[row]);
        if (cells !== undefined) visit(table, row, cells);
      }
    }
    const valueLeaves = jsonToCells(values);
    if (valueLeaves !== undefined) visit(VALUES, '', valueLeaves);
  };
  decodeJson('content', text, visitAll, faultOfContent);
}

/** Makes changes of what {@link encodeChanges} wrote. Throws a {@link ShapeError} for anything else. */
export function jsonToChanges(json: Json | undefined): Changes {
  const [tables, values, deleted] = asArray(json, 2, 3);
  const changes = new ChangesBuilder();
  if (deleted !== undefined) {
    for (const [table, rows] of Object.entries(asObject(deleted))) {
      if (rows === 0) changes.deleteTable(table);
      else for (const row of asArray(rows, 1, Infinity)) changes.deleteRow(table, asString(row));
    }
  }
  forEachLeafOrDeletion(tables, values, (leaf, table, row, cell) =>
    changes.setLeaf(table, row, cell, leaf),
  );
  return changes;
}

/** TinyBase's own changes, `[tables, values, 1]`; a deletion there may be of a row or a table. */
export function jsonToStockChanges(json: Json | undefined): StockChanges {
  const [tables, values] = asArray(json, 2, 3);
  const changes = new ChangesBuilder();
  const kept: MutableJsonObject = emptyObject();
  for (const [table, rows] of Object.entries(asObject(tables))) {
    if (rows === DELETED) {
      changes.deleteTable(table);
      continue;
    }
    const keptRows: MutableJsonObject = emptyObject();
    for (const [row, cells] of Object.entries(asObject(rows))) {
      if (cells === DELETED) changes.deleteRow(table, row);
      else keptRows[row] = cells;
    }
    kept[table] = keptRows;
  }
  forEachLeafOrDeletion(kept, values, (leaf, table, row, cell) =>
    changes.setLeaf(table, row, cell, leaf),
  );
  return { type: 'stock', changes };
}

/** A stock peer cannot be told of a row that was deleted and then set: the deletion is left out there. */
export function stockChangesToJson(changes: Changes): Json {
  const [tables, values] = leavesToJson(changes.leaves);
  for (const [table, rows] of changes.deletedRows) {
    if (rows === ALL_ROWS) {
      tables[table] ??= DELETED;
      continue;
    }
    const known = tables[table];
    const target: MutableJsonObject = emptyObject();
    if (known !== undefined) Object.assign(target, known);
    for (const row of rows) target[row] ??= DELETED;
    tables[table] = target;
  }
  return isEmptyChanges(changes) ? [{}, {}, 1] : [tables, values, 1];
}

function leavesToJson(leaves: LeafMap<Leaf | undefined>): [MutableJsonObject, MutableJsonObject] {
  const tables = emptyObject();
  const values = emptyObject();
  for (const table of leaves.tables()) {
    if (table === VALUES) {
      for (const [id, value] of leaves.cells(VALUES, ''))
        values[id] = value ?? deletedUnlessNull(value);
      continue;
    }
    const rowsJson = emptyObject();
    for (const [row, cells] of leaves.rows(table)) {
      const rowJson = emptyObject();
      for (const [cell, leaf] of cells) rowJson[cell] = leaf ?? deletedUnlessNull(leaf);
      rowsJson[row] = rowJson;
    }
    tables[table] = rowsJson;
  }
  return [tables, values];
}

function deletedUnlessNull(leaf: null | undefined): Leaf {
  return leaf === null ? null : DELETED;
}

type VisitLeaf<T> = (leaf: T, table: string | typeof VALUES, row: string, cell: string) => void;

function forEachLeafOrDeletion(
  tables: Json | undefined,
  values: Json | undefined,
  visit: VisitLeaf<Leaf | undefined>,
): void {
  forEachJsonLeaf(tables, values, (json, table, row, cell) => {
    visit(json === DELETED ? undefined : asLeaf(json), table, row, cell);
  });
}

/** Undefined if there are none. */
function jsonToCells(json: Json | undefined): Cells<Leaf> | undefined {
  const cells = asObject(json);
  const values = Object.values(cells);
  if (values.length === 0) return undefined;
  if (areLeaves(cells, values)) return new JsonCells(cells);
  return new Map(Object.keys(cells).map((cell) => [cell, asLeaf(cells[cell])]));
}

function forEachJsonLeaf(
  tables: Json | undefined,
  values: Json | undefined,
  visit: VisitLeaf<Json>,
): void {
  for (const [table, rows] of Object.entries(asObject(tables))) {
    for (const [row, cells] of Object.entries(asObject(rows))) {
      for (const [cell, json] of Object.entries(asObject(cells))) visit(json, table, row, cell);
    }
  }
  for (const [id, json] of Object.entries(asObject(values))) visit(json, VALUES, '', id);
}

function asLeaf(json: Json | undefined): Leaf {
  const leaf = canonicalLeaf(json);
  if (leaf === undefined) throw new ShapeError('a cell or value is not one that a Store can hold');
  return leaf;
}
