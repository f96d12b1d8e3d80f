import { addJsonLeaves, leavesToJson } from '../changes-codec.ts';
import { ALL_ROWS, ChangesBuilder, type Changes } from '../changes.ts';
import { assertSendable } from '../unsendable-leaves.ts';
import { asArray, asObject, decodeJson, emptyRecord, type Json } from '../json.ts';
import { DELETED } from '../leaf.ts';

/** The message that stock TinyBase peers send and get: changes without a number, a version or an ack. */
export interface StockChanges {
  readonly type: 'stock';
  readonly changes: Changes;
}

/** TinyBase's own letter. */
export const letter = 's';

/** Encodes as TinyBase does. A stock peer gets no deletion of a row that was set again: TinyBase cannot say it. */
export function encode({ changes }: StockChanges): string {
  return JSON.stringify(changesToJson(changes));
}

export function decode(json: string): StockChanges {
  return decodeJson('changes', json, jsonToStockChanges);
}

/** Decodes the message of a client. Throws `malformed` also if a leaf has too many levels (`CHANGES-4`). */
export function decodeFromClient(json: string): StockChanges {
  return decodeJson('changes', json, (parsed) => {
    const stock = jsonToStockChanges(parsed);
    stock.changes.leaves.forEach(assertSendable);
    return stock;
  });
}

/** Reads `[tables, values, 1]`; a deletion there may be of a row or a table. */
function jsonToStockChanges(json: Json | undefined): StockChanges {
  const [tables, values] = asArray(json, 2, 3);
  const changes = new ChangesBuilder();
  const kept = emptyRecord<Json>();
  for (const [table, rows] of Object.entries(asObject(tables))) {
    if (rows === DELETED) {
      changes.deleteTable(table);
      continue;
    }
    const keptRows = emptyRecord<Json>();
    for (const [row, cells] of Object.entries(asObject(rows))) {
      if (cells === DELETED) changes.deleteRow(table, row);
      else keptRows[row] = cells;
    }
    kept[table] = keptRows;
  }
  addJsonLeaves(changes, kept, values);
  return { type: 'stock', changes };
}

function changesToJson(changes: Changes): Json {
  const [tables, values] = leavesToJson(changes.leaves);
  for (const [table, rows] of changes.deletedRows) {
    if (rows === ALL_ROWS) {
      tables[table] ??= DELETED;
      continue;
    }
    const rowsJson = Object.assign(emptyRecord<Json>(), tables[table]);
    for (const row of rows) rowsJson[row] ??= DELETED;
    tables[table] = rowsJson;
  }
  return [tables, values, 1];
}
