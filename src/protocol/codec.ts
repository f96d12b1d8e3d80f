/**
 * The one place where messages become text and text becomes messages. Wire letters exist in this file only.
 *
 * A frame is `<messagePrefix><letter><JSON>`. What decodes is valid: nothing behind this file checks shapes again.
 */
import { ALL_ROWS, ChangesBuilder, isEmptyChanges, type Changes } from './changes.ts';
import { isErrorCode, TinyBasePartyKitError } from './errors.ts';
import { canonicalLeaf, DELETED, VALUES, type Leaf } from './leaf.ts';
import { LeafMap } from './leaf-map.ts';
import type {
  Ack,
  Alive,
  Check,
  ClientMessage,
  Commit,
  Cursor,
  ErrorMessage,
  Hello,
  LargePush,
  Limits,
  Ping,
  Pong,
  Push,
  RefusalReason,
  RoomMessage,
  StockChanges,
  Welcome,
} from './messages.ts';

/** `s` is TinyBase's own. `r` and `v` are kept free for presence and events. */
const LETTERS = {
  stock: 's',
  hello: 'h',
  push: 'p',
  ping: 'i',
  welcome: 'w',
  commit: 'c',
  ack: 'a',
  pong: 'o',
  error: 'e',
} as const;

const REASONS: readonly RefusalReason[] = ['hook', 'schema', 'failed', 'timeout'];

/** Base64url of 128 bits. */
const CLIENT_ID = /^[\w-]{22}$/;
const EPOCH = /^[\w-]{1,64}$/;
const ETAG = /^(?:W\/)?"([\w-]{1,64})\.(\d{1,16})"$/;

type Json = null | boolean | number | string | readonly Json[] | JsonObject;
interface JsonObject {
  readonly [id: string]: Json;
}
type MutableJsonObject = Record<string, Json>;

/** The ping frame: always the same text, so that a host may answer it without waking the room. */
export function encodePing(prefix: string): string {
  return `${prefix}${LETTERS.ping}[]`;
}

/** What a host answers that with: always the same text, too. */
export function encodeAlive(prefix: string): string {
  return `${prefix}${LETTERS.pong}[]`;
}

/** Encodes a push whose changes were encoded before, by {@link encodeChanges}. */
export function encodePushFrame(
  prefix: string,
  number: number,
  changes: string,
  ackedPush: number,
): string {
  return `${prefix}${LETTERS.push}[${number},${changes},${ackedPush}]`;
}

/** Encodes what a client sends. */
export function encodeClientMessage(prefix: string, message: ClientMessage): string {
  switch (message.type) {
    case 'hello':
      return frame(prefix, LETTERS.hello, helloToJson(message));
    case 'push':
      return encodePushFrame(
        prefix,
        message.number,
        encodeChanges(message.changes),
        message.ackedPush,
      );
    case 'ping':
      return encodePing(prefix);
    case 'check':
      return frame(prefix, LETTERS.ping, [1]);
    case 'stock':
      return frame(prefix, LETTERS.stock, stockChangesToJson(message.changes));
  }
}

/** Encodes what a room sends. */
export function encodeRoomMessage(prefix: string, message: RoomMessage): string {
  switch (message.type) {
    case 'welcome':
      return frame(prefix, LETTERS.welcome, welcomeToJson(message));
    case 'commit':
      return frame(prefix, LETTERS.commit, [message.version, changesToJson(message.changes)]);
    case 'ack':
      return frame(prefix, LETTERS.ack, ackToJson(message));
    case 'pong':
      return frame(prefix, LETTERS.pong, [message.version, message.lastPush]);
    case 'alive':
      return encodeAlive(prefix);
    case 'error':
      return frame(prefix, LETTERS.error, { code: message.code, message: message.message });
    case 'stock':
      return frame(prefix, LETTERS.stock, stockChangesToJson(message.changes));
  }
}

/**
 * Decodes what a client sent. Returns undefined for a frame that is not ours (binary, another prefix or letter).
 * Throws a {@link TinyBasePartyKitError} `malformed` for one that has our letter and does not decode.
 */
export function decodeClientMessage(prefix: string, data: unknown): ClientMessage | undefined {
  const parts = splitFrame(prefix, data);
  switch (parts?.letter) {
    case LETTERS.hello:
      return decode('hello', parts.json, jsonToHello);
    case LETTERS.push:
      return decode('push', parts.json, jsonToPush);
    case LETTERS.ping:
      return decode('ping', parts.json, jsonToPing);
    case LETTERS.stock:
      return decode('changes', parts.json, jsonToStockChanges);
    default:
      return undefined;
  }
}

/** Decodes what a room sent, as {@link decodeClientMessage} does for the other direction. */
export function decodeRoomMessage(prefix: string, data: unknown): RoomMessage | undefined {
  const parts = splitFrame(prefix, data);
  switch (parts?.letter) {
    case LETTERS.welcome:
      return decode('welcome', parts.json, jsonToWelcome);
    case LETTERS.commit:
      return decode('commit', parts.json, jsonToCommit);
    case LETTERS.ack:
      return decode('ack', parts.json, jsonToAck);
    case LETTERS.pong:
      return decode('pong', parts.json, jsonToPong);
    case LETTERS.error:
      return decode('error', parts.json, jsonToError);
    case LETTERS.stock:
      return decode('changes', parts.json, jsonToStockChanges);
    default:
      return undefined;
  }
}

/** Encodes changes for storage, in the shape that commits have on the wire. */
export function encodeChanges(changes: Changes): string {
  return JSON.stringify(changesToJson(changes));
}

/** Decodes {@link encodeChanges}. Throws `malformed`. */
export function decodeChanges(text: string): Changes {
  return decode('changes', text, jsonToChanges);
}

/** Encodes the body of a POST. */
export function encodeLargePush({ clientId, generation, push }: LargePush): string {
  return JSON.stringify({ client: clientId, generation, push: pushToJson(push) });
}

/** Decodes the body of a POST. Throws `malformed`. */
export function decodeLargePush(text: string): LargePush {
  return decode('large push', text, (json) => {
    const object = asObject(json);
    return {
      clientId: asMatch(object['client'], CLIENT_ID),
      generation: asCount(object['generation']),
      push: jsonToPush(object['push']),
    };
  });
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
  return decode('content', text, (json) => {
    const [tables, values] = asArray(json, 2, 2);
    const content = new LeafMap<Leaf>();
    const tablesJson = asObject(tables);
    for (const table of Object.keys(tablesJson)) {
      const rows = asObject(tablesJson[table]);
      for (const row of Object.keys(rows)) {
        const cells = jsonToCells(rows[row]);
        if (cells.size > 0) content.setRow(table, row, cells);
      }
    }
    const valuesMap = jsonToCells(values);
    if (valuesMap.size > 0) content.setRow(VALUES, '', valuesMap);
    return content;
  });
}

/** The ETag of a room's content (RFC 9110, section 8.8.3): its epoch and version. */
export function encodeETag({ epoch, version }: Cursor): string {
  return `"${epoch}.${version}"`;
}

/** Decodes an ETag of ours, weak or strong; undefined for any other, or none: the server is not our room. */
export function decodeETag(etag: string | null): Cursor | undefined {
  const match = ETAG.exec(etag ?? '');
  const [, epoch, digits] = match ?? [];
  const version = Number(digits);
  return epoch === undefined || !Number.isSafeInteger(version) ? undefined : { epoch, version };
}

function frame(prefix: string, letter: string, json: Json): string {
  return prefix + letter + JSON.stringify(json);
}

function splitFrame(prefix: string, data: unknown): { letter: string; json: string } | undefined {
  if (typeof data !== 'string' || !data.startsWith(prefix)) return undefined;
  const letter = data[prefix.length];
  return letter === undefined ? undefined : { letter, json: data.slice(prefix.length + 1) };
}

/** Thrown inside this file alone, where a shape is wrong; {@link decode} gives it its code. */
class ShapeError extends Error {}

function decode<T>(what: string, text: string, fromJson: (json: Json | undefined) => T): T {
  try {
    // JSON.parse returns any; the checks below are what makes a message of it.
    return fromJson(JSON.parse(text) as Json);
  } catch (error) {
    const isBadInput =
      error instanceof SyntaxError || error instanceof ShapeError || error instanceof RangeError;
    if (!isBadInput) throw error;
    throw new TinyBasePartyKitError('malformed', `Not a valid ${what}: ${error.message}`, {
      cause: error,
    });
  }
}

function helloToJson(hello: Hello): Json {
  return {
    protocol: hello.protocol,
    client: hello.clientId,
    generation: hello.generation,
    cursor: hello.cursor === undefined ? null : [hello.cursor.epoch, hello.cursor.version],
    next: hello.nextPush,
    acked: hello.ackedPush,
  };
}

function jsonToHello(json: Json | undefined): Hello {
  const object = asObject(json);
  return {
    type: 'hello',
    protocol: asCount(object['protocol']),
    clientId: asMatch(object['client'], CLIENT_ID),
    generation: asCount(object['generation']),
    cursor: object['cursor'] === null ? undefined : jsonToCursor(object['cursor']),
    nextPush: asPushNumber(object['next']),
    ackedPush: asCount(object['acked']),
  };
}

function jsonToCursor(json: Json | undefined): Cursor {
  const [epoch, version] = asArray(json, 2, 2);
  return { epoch: asMatch(epoch, EPOCH), version: asCount(version) };
}

function pushToJson({ number, changes, ackedPush }: Push): Json {
  return [number, changesToJson(changes), ackedPush];
}

function jsonToPush(json: Json | undefined): Push {
  const [number, changes, ackedPush] = asArray(json, 3, 3);
  return {
    type: 'push',
    number: asPushNumber(number),
    changes: jsonToChanges(changes),
    ackedPush: asCount(ackedPush),
  };
}

function jsonToPing(json: Json | undefined): Ping | Check {
  const [isCheck] = asArray(json, 0, 1);
  if (isCheck === undefined) return { type: 'ping' };
  if (isCheck !== 1) throw new ShapeError('neither a ping nor a check');
  return { type: 'check' };
}

function welcomeToJson(welcome: Welcome): Json {
  return {
    generation: welcome.generation,
    cursor: [welcome.cursor.epoch, welcome.cursor.version],
    pushed: welcome.lastPush,
    limits: [welcome.limits.framePushBytes, welcome.limits.pushBytes],
    changes: welcome.changes === undefined ? null : changesToJson(welcome.changes),
  };
}

function jsonToWelcome(json: Json | undefined): Welcome {
  const object = asObject(json);
  return {
    type: 'welcome',
    generation: asCount(object['generation']),
    cursor: jsonToCursor(object['cursor']),
    lastPush: asCount(object['pushed']),
    limits: jsonToLimits(object['limits']),
    changes: object['changes'] === null ? undefined : jsonToChanges(object['changes']),
  };
}

function jsonToLimits(json: Json | undefined): Limits {
  const [framePushBytes, pushBytes] = asArray(json, 2, 8);
  return { framePushBytes: asCount(framePushBytes), pushBytes: asCount(pushBytes) };
}

function jsonToCommit(json: Json | undefined): Commit {
  const [version, changes] = asArray(json, 2, 2);
  return { type: 'commit', version: asCount(version), changes: jsonToChanges(changes) };
}

function ackToJson(ack: Ack): Json {
  const json: Json[] = [ack.number, ack.version, ack.isCommit ? 1 : 0];
  if (ack.correction !== undefined || ack.reason !== undefined) {
    json.push(ack.correction === undefined ? null : changesToJson(ack.correction));
  }
  if (ack.reason !== undefined) json.push(ack.reason);
  return json;
}

function jsonToAck(json: Json | undefined): Ack {
  const [number, version, isCommit, correction, reason] = asArray(json, 3, 5);
  return {
    type: 'ack',
    number: asPushNumber(number),
    version: asCount(version),
    isCommit: asCount(isCommit) === 1,
    correction:
      correction === undefined || correction === null ? undefined : jsonToChanges(correction),
    reason: REASONS.find((known) => known === reason),
  };
}

function jsonToPong(json: Json | undefined): Pong | Alive {
  const [version, lastPush] = asArray(json, 0, 2);
  if (version === undefined) return { type: 'alive' };
  return { type: 'pong', version: asCount(version), lastPush: asCount(lastPush) };
}

function jsonToError(json: Json | undefined): ErrorMessage {
  const { code, message } = asObject(json);
  if (!isErrorCode(code) || typeof message !== 'string') throw new ShapeError('unknown error code');
  return { type: 'error', code, message };
}

/** `[tables, values]`, and the deleted rows if there are any: row ids by table id, or 0 for all. */
function changesToJson(changes: Changes): Json {
  const [tables, values] = leavesToJson(changes.leaves);
  if (changes.deletedRows.size === 0) return [tables, values];
  const deleted = emptyObject();
  for (const [table, rows] of changes.deletedRows)
    deleted[table] = rows === ALL_ROWS ? 0 : [...rows];
  return [tables, values, deleted];
}

function jsonToChanges(json: Json | undefined): Changes {
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
function jsonToStockChanges(json: Json | undefined): StockChanges {
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
function stockChangesToJson(changes: Changes): Json {
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

function jsonToCells(json: Json | undefined): Map<string, Leaf> {
  const cells = new Map<string, Leaf>();
  const cellsJson = asObject(json);
  for (const cell of Object.keys(cellsJson)) cells.set(cell, asLeaf(cellsJson[cell]));
  return cells;
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

/** Without a prototype, `__proto__` is an id like any other. */
function emptyObject(): MutableJsonObject {
  return Object.create(null) as MutableJsonObject;
}

function asObject(json: Json | undefined): JsonObject {
  if (typeof json !== 'object' || json === null || isArray(json))
    throw new ShapeError('an object is missing');
  return json;
}

function asArray(json: Json | undefined, fewest: number, most: number): readonly Json[] {
  if (!isArray(json) || json.length < fewest || json.length > most)
    throw new ShapeError('an array is missing');
  return json;
}

function isArray(json: Json | undefined): json is readonly Json[] {
  return Array.isArray(json);
}

function asString(json: Json | undefined): string {
  if (typeof json !== 'string') throw new ShapeError('a string is missing');
  return json;
}

function asMatch(json: Json | undefined, pattern: RegExp): string {
  const text = asString(json);
  if (!pattern.test(text)) throw new ShapeError('an id has the wrong form');
  return text;
}

function asCount(json: Json | undefined): number {
  if (typeof json !== 'number' || !Number.isSafeInteger(json) || json < 0)
    throw new ShapeError('a count is missing');
  return json;
}

function asPushNumber(json: Json | undefined): number {
  const number = asCount(json);
  if (number === 0) throw new ShapeError('push numbers begin at 1');
  return number;
}

function asLeaf(json: Json | undefined): Leaf {
  const leaf = canonicalLeaf(json);
  if (leaf === undefined) throw new ShapeError('a cell or value is not one that a Store can hold');
  return leaf;
}
