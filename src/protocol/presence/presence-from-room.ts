/** The presence messages of a room. */
import { encodeChanges, jsonToChanges } from '../changes-codec.ts';
import type { Changes } from '../changes.ts';
import type { ErrorCode } from '../errors.ts';
import { asObject, asString, decodeJson, isArray, type Json } from '../json.ts';
import { jsonToError } from '../messages/error.ts';

/** Changes of everybody's presence. A full picture deletes all rows of both tables, then sets the current ones. */
interface PresenceChanges {
  readonly type: 'changes';
  readonly changes: Changes;
}

/** The room's answer to a row that it refused or altered. Without any part, it asks if the client is there. */
export interface PresenceCorrection {
  readonly type: 'correction';
  /** Sets the receiver's own row as the room has it, without the cell `user`. Undefined if the error is not about a row. */
  readonly own?: Changes;
  /** The JSON of the row that this answers: a client that has sent another one since ignores `own`. */
  readonly of?: string;
  /** Set if the room refused the row. Without it, the room took the row and altered it. */
  readonly error?: PresenceError;
}

export interface PresenceError {
  readonly code: ErrorCode;
  readonly message: string;
}

export type PresenceFromRoom = PresenceChanges | PresenceCorrection;

export const letter = 'r';

export function encode(message: PresenceFromRoom): string {
  if (message.type === 'changes') return encodeChanges(message.changes);
  const { own, of, error } = message;
  const parts: string[] = [];
  if (own !== undefined) parts.push(`"own":${encodeChanges(own)}`);
  if (of !== undefined) parts.push(`"of":${JSON.stringify(of)}`);
  if (error !== undefined) parts.push(`"error":${JSON.stringify(error)}`);
  return `{${parts.join()}}`;
}

export function decode(json: string): PresenceFromRoom {
  return decodeJson('presence', json, jsonToPresenceFromRoom);
}

function jsonToPresenceFromRoom(json: Json | undefined): PresenceFromRoom {
  if (isArray(json)) return { type: 'changes', changes: jsonToChanges(json) };
  const { own, of, error } = asObject(json);
  return {
    type: 'correction',
    ...(own !== undefined && { own: jsonToChanges(own) }),
    ...(of !== undefined && { of: asString(of) }),
    ...(error !== undefined && { error: jsonToError(error) }),
  };
}
