import { encodeFrame } from '../frame.ts';
import { asArray, asCount, decodeJson, type Json } from '../json.ts';

/** The room's answer to a check or ping. It comes after the answers to all earlier messages of that connection. */
export interface Pong {
  readonly type: 'pong';
  readonly version: number;
  /** The same number as `lastPush` of a welcome. */
  readonly lastPush: number;
}

/** A host's answer to a ping. The host knows only that the room can be reached. */
export interface Alive {
  readonly type: 'alive';
}

export const letter = 'o';

export function encode(message: Pong | Alive): string {
  return message.type === 'alive' ? '[]' : `[${message.version},${message.lastPush}]`;
}

export function decode(json: string): Pong | Alive {
  return decodeJson('pong', json, jsonToPong);
}

/** Returns the alive frame. It is always the same text, as the ping that it answers. */
export function encodeAlive(prefix: string): string {
  return encodeFrame(prefix, letter, encode({ type: 'alive' }));
}

function jsonToPong(json: Json | undefined): Pong | Alive {
  const [version, lastPush] = asArray(json, 0, 2);
  if (version === undefined) return { type: 'alive' };
  return { type: 'pong', version: asCount(version), lastPush: asCount(lastPush) };
}
