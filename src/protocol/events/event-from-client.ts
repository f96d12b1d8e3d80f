/** The message of a client that calls a procedure. */
import { asArray, asCount, asString, decodeJson, ShapeError, type Json } from '../json.ts';
import { encodeNamed, NO_DATA } from './event-data.ts';

/** A call of a procedure. */
export interface EventFromClient {
  readonly name: string;
  /** Any JSON, or undefined. */
  readonly input: unknown;
  /** The number of the call, for the answer; undefined if nobody waits for one. */
  readonly id: number | undefined;
}

export const letter = 'v';
/** The JSON of a sign that the client reads. It calls nothing, and the room does not decode it. */
export const READ = '[]';

/** Throws a `TypeError` if the input is not JSON. */
export function encode({ name, input, id }: EventFromClient): string {
  return encodeNamed(name, input, id);
}

export function decode(json: string): EventFromClient {
  return decodeJson('call', json, jsonToCall);
}

/** Returns the number of a call that does not decode, or is too long to be decoded; undefined if nobody waits for it. */
export function decodeCallId(json: string): number | undefined {
  const [, id] = /^\["[^]*,(\d{1,15})(?:,1)?\]$/.exec(json) ?? [];
  return id === undefined ? undefined : Number(id);
}

function jsonToCall(json: Json | undefined): EventFromClient {
  const [name, input, id, mark] = asArray(json, 1, 4);
  if (mark !== undefined && (mark !== NO_DATA || input !== null))
    throw new ShapeError('expected [name, input, id], or [name, null, id, 1] without input');
  return {
    name: asString(name),
    input: mark === undefined ? input : undefined,
    id: id === undefined ? undefined : asCount(id),
  };
}
