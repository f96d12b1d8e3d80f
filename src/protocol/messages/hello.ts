import { cursorToJson, jsonToCursor, type Cursor } from '../cursor.ts';
import { asCount, asMatch, asObject, decodeJson, type Json } from '../json.ts';
import { asPushNumber } from './push.ts';

/** The version of the protocol that this package speaks. Every hello carries it. */
export const PROTOCOL_VERSION = 1;

/** The first message of a client on every socket. The client sends it again when its position is lost. */
export interface Hello {
  readonly type: 'hello';
  /** 128 random bits as 22 characters of base64url: secret, one for each persister. */
  readonly clientId: string;
  /** Rises with every hello of a client id, across sockets and restarts. The room answers the highest one. */
  readonly generation: number;
  /** The cursor of the client's base; undefined if the client holds nothing of this room. */
  readonly cursor: Cursor | undefined;
  /** The number of the oldest pending push; if none is pending, the number of the next push. */
  readonly nextPush: number;
  /** The highest push number whose ack the client will never need again; 0 at first. */
  readonly ackedPush: number;
}

/** A hello in a version of the protocol that this package does not speak. */
export interface ForeignHello {
  readonly type: 'foreign-hello';
  readonly protocol: number;
}

/** Base64url of 128 bits. */
const CLIENT_ID = /^[\w-]{22}$/;

/** The length of that. */
export const CLIENT_ID_LENGTH = 22;

export const letter = 'h';

export function encode({ clientId, generation, cursor, nextPush, ackedPush }: Hello): string {
  return JSON.stringify({
    protocol: PROTOCOL_VERSION,
    client: clientId,
    generation,
    cursor: cursor === undefined ? null : cursorToJson(cursor),
    next: nextPush,
    acked: ackedPush,
  });
}

export function decode(json: string): Hello | ForeignHello {
  return decodeJson('hello', json, jsonToHello);
}

/** Reads the version alone if it is a foreign one: the rest of that hello may have any shape (FRAME-4). */
function jsonToHello(json: Json | undefined): Hello | ForeignHello {
  const object = asObject(json);
  const protocol = asCount(object['protocol']);
  if (protocol !== PROTOCOL_VERSION) return { type: 'foreign-hello', protocol };
  return {
    type: 'hello',
    clientId: asClientId(object['client']),
    generation: asCount(object['generation']),
    cursor: object['cursor'] === null ? undefined : jsonToCursor(object['cursor']),
    nextPush: asPushNumber(object['next']),
    ackedPush: asCount(object['acked']),
  };
}

/** Returns true for a text that may be the id of a client. */
export function isClientId(text: string): boolean {
  return CLIENT_ID.test(text);
}

/** Checks the id of a client. */
export function asClientId(json: Json | undefined): string {
  return asMatch(json, CLIENT_ID);
}
