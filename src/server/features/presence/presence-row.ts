import { emptyRecord } from '../../../protocol/json.ts';
import { canonicalLeaf, decodeLeaf, isUnsendableLeaf, type Leaf } from '../../../protocol/leaf.ts';
import {
  encodePresenceCells,
  type PresenceCells,
} from '../../../protocol/presence/presence-from-client.ts';
import type { PresenceError } from '../../../protocol/presence/presence-from-room.ts';
import { USER } from '../../../protocol/presence/presence-tables.ts';
import type { SchemaIssue, StandardSchema } from '../../../protocol/standard-schema.ts';
import { utf8Length } from '../../../protocol/utf8.ts';
import { hearRejection, isThenable } from '../../room/maybe-promise.ts';
import { assertResult, reasonOf } from '../validation.ts';

/** The room's decision on a row of a client. */
export type RowDecision =
  | { readonly type: 'taken'; readonly cells: PresenceCells }
  | { readonly type: 'refused'; readonly error: PresenceError; readonly cause?: unknown };

/** People read messages: more names, or longer ones, help nobody. */
const MOST_NAMES = 5;
const LONGEST_NAME = 60;

/** Returns what the schema makes of a row, as far as the row may have it (`PRES-2`, `PRES-6`). Throws nothing. */
export function decideRow(
  cells: PresenceCells,
  schema: StandardSchema | undefined,
  rowBytes: number,
): RowDecision {
  const decision = cells.has(USER) ? reservedCell() : validateRow(cells, schema);
  if (decision.type === 'refused') return decision;
  if (decision.cells.has(USER)) return reservedCell();
  const excess = excessOf(encodePresenceCells(decision.cells), rowBytes);
  return excess === undefined ? decision : { type: 'refused', error: excess };
}

/** Returns the error for a row whose JSON is over the limit; undefined if it is not. */
export function excessOf(json: string, rowBytes: number): PresenceError | undefined {
  if (utf8Length(json, rowBytes) <= rowBytes) return undefined;
  return {
    code: 'too-large',
    message:
      `A row of presence takes at most ${rowBytes} bytes of JSON, and nothing of this one was taken: ` +
      'set less, or raise the option rowBytes of createPresence in the room.',
  };
}

function validateRow(cells: PresenceCells, schema: StandardSchema | undefined): RowDecision {
  if (schema === undefined) return { type: 'taken', cells };
  try {
    const result = schema['~standard'].validate(plainRow(cells));
    if (isThenable(result)) {
      hearRejection(result);
      throw new TypeError(
        'The schema of createPresence is async: give it one that answers at once.',
      );
    }
    assertResult(result);
    return result.issues === undefined
      ? cellsOf(result.value)
      : malformed(namesOf(result.issues), reasonOf(result.issues));
  } catch (cause) {
    const message = 'The room failed to check the row: its log says why.';
    return { type: 'refused', error: { code: 'failed', message }, cause };
  }
}

/** Returns the row for a schema, as TinyBase shows it: without a prototype, so that `__proto__` is an ordinary cell. */
function plainRow(cells: PresenceCells): unknown {
  const row = emptyRecord<unknown>();
  for (const [cell, leaf] of cells) row[cell] = decodeLeaf(leaf);
  return row;
}

function cellsOf(output: unknown): RowDecision {
  if (typeof output !== 'object' || output === null) return malformed(['the whole row']);
  const cells = new Map<string, Leaf>();
  const wrong: string[] = [];
  for (const [cell, value] of Object.entries(output)) {
    if (value === undefined) continue;
    const leaf = cellLeaf(value);
    if (leaf === undefined) wrong.push(cell);
    else cells.set(cell, leaf);
  }
  return wrong.length === 0 ? { type: 'taken', cells } : malformed(wrong);
}

/** Returns undefined for a value that no Cell holds, or that no message may carry. */
export function cellLeaf(value: unknown): Leaf | undefined {
  // A Store takes plain objects and arrays alone.
  if (typeof value === 'object' && value !== null && !isPlain(value)) return undefined;
  const leaf = canonicalLeaf(value);
  return isUnsendableLeaf(leaf) ? undefined : leaf;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === null || prototype === Object.prototype;
}

function malformed(names: readonly string[], reason = ''): RowDecision {
  const shown = names
    .slice(0, MOST_NAMES)
    .map((name) => (name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name));
  const list = (names.length > MOST_NAMES ? [...shown, '…'] : shown).join(', ');
  const message = `The room's schema of presence refuses the row, and nothing of it was taken: look at ${list}.${reason}`;
  return { type: 'refused', error: { code: 'malformed', message } };
}

function reservedCell(): RowDecision {
  const message = `The room writes the cell "${USER}" of presence itself: give yours another name.`;
  return { type: 'refused', error: { code: 'malformed', message } };
}

/** Returns the names of the cells that the issues are about. */
function namesOf(issues: readonly SchemaIssue[]): readonly string[] {
  const names = new Set<string>();
  for (const { path = [] } of issues) {
    const [first] = path;
    const key = typeof first === 'object' ? first.key : first;
    names.add(key === undefined ? 'the whole row' : String(key));
  }
  return [...names];
}
