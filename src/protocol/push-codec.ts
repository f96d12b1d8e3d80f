/** Pushes as JSON, and what names them. The codec of the messages builds on it. */
import { jsonToChanges } from './changes-codec.ts';
import { asArray, asCount, asMatch, isArray, ShapeError, type Json } from './json.ts';
import type { Push } from './messages.ts';
import { faultOfChanges } from './shape-fault.ts';

/** Base64url of 128 bits. */
const CLIENT_ID = /^[\w-]{22}$/;

/** `[number, changes, acked]`; the changes were encoded before. */
export function encodePush(number: number, changes: string, ackedPush: number): string {
  return `[${number},${changes},${ackedPush}]`;
}

/** The other way. */
export function jsonToPush(json: Json | undefined): Push {
  const [number, changes, ackedPush] = asArray(json, 3, 3);
  return {
    type: 'push',
    number: asPushNumber(number),
    changes: jsonToChanges(changes),
    ackedPush: asCount(ackedPush),
  };
}

/** What is wrong with its changes, which are most of it. */
export function faultOfPush(json: Json | undefined): string | undefined {
  return isArray(json) ? faultOfChanges(json[1]) : undefined;
}

/** The id of a client. */
export function asClientId(json: Json | undefined): string {
  return asMatch(json, CLIENT_ID);
}

/** A number of a push: 1, 2, 3 … */
export function asPushNumber(json: Json | undefined): number {
  const number = asCount(json);
  if (number === 0) throw new ShapeError('push numbers begin at 1');
  return number;
}
