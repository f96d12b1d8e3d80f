import { encodeFrame } from '../frame.ts';
import { asArray, decodeJson, ShapeError, type Json } from '../json.ts';

/** Asks for any sign of life. A host may answer it for a sleeping room, with `alive`. */
export interface Ping {
  readonly type: 'ping';
}

/** Asks the room itself, which answers with a pong: the client learns from it if anything was lost. */
export interface Check {
  readonly type: 'check';
}

export const letter = 'i';

export function encode({ type }: Ping | Check): string {
  return type === 'ping' ? '[]' : '[1]';
}

export function decode(json: string): Ping | Check {
  return decodeJson('ping', json, jsonToPing);
}

/** Returns the ping frame. It is always the same text, so that a host can answer it without waking the room. */
export function encodePing(prefix: string): string {
  return encodeFrame(prefix, letter, encode({ type: 'ping' }));
}

function jsonToPing(json: Json | undefined): Ping | Check {
  const [isCheck] = asArray(json, 0, 1);
  if (isCheck === undefined) return { type: 'ping' };
  if (isCheck !== 1) throw new ShapeError('expected [] for a ping or [1] for a check');
  return { type: 'check' };
}
