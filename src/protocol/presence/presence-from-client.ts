/** The presence messages of a client. */
import { asObject, decodeJson, isArray, ShapeError, type Json } from '../json.ts';
import { canonicalLeaf, isUnsendableLeaf, type Leaf } from '../leaf.ts';

/** The app's cells of a connection. */
export type PresenceCells = ReadonlyMap<string, Leaf>;

/** Joins, and sets the connection's whole row. */
interface PresenceRow {
  readonly type: 'row';
  readonly cells: PresenceCells;
}

/** Asks the room if everybody is still there. */
interface PresenceCheck {
  readonly type: 'check';
}

/** Leaves, and keeps the socket. */
interface PresenceLeave {
  readonly type: 'leave';
}

export type PresenceFromClient = PresenceRow | PresenceCheck | PresenceLeave;

export const letter = 'r';
/** The JSON of a check. */
export const CHECK = '[1]';
/** The JSON of a leave. */
export const LEAVE = '[]';

export function encode(message: PresenceFromClient): string {
  switch (message.type) {
    case 'row':
      return encodePresenceCells(message.cells);
    case 'check':
      return CHECK;
    case 'leave':
      return LEAVE;
  }
}

export function decode(json: string): PresenceFromClient {
  return decodeJson('presence', json, jsonToPresenceFromClient);
}

/** Encodes the cells of a row as a JSON object. */
export function encodePresenceCells(cells: ReadonlyMap<string, Leaf | undefined>): string {
  // `fromEntries` defines `__proto__` as an ordinary property.
  return JSON.stringify(Object.fromEntries(cells));
}

/** Reads {@link encodePresenceCells}. Throws a `ShapeError` that names the cell at fault. */
function jsonToPresenceCells(json: Json | undefined): PresenceCells {
  const cells = new Map<string, Leaf>();
  for (const [cell, candidate] of Object.entries(asObject(json))) {
    const leaf = canonicalLeaf(candidate);
    if (leaf === undefined || isUnsendableLeaf(leaf))
      throw new ShapeError(`a Store cannot hold the cell ${cell}`);
    cells.set(cell, leaf);
  }
  return cells;
}

function jsonToPresenceFromClient(json: Json | undefined): PresenceFromClient {
  if (!isArray(json)) return { type: 'row', cells: jsonToPresenceCells(json) };
  if (json.length === 0) return { type: 'leave' };
  if (json.length === 1 && json[0] === 1) return { type: 'check' };
  throw new ShapeError('expected an object of cells, [1] for a check or [] to leave');
}
