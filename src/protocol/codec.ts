/**
 * The one place where messages become text and text becomes messages. Wire letters exist in this file only.
 *
 * A frame is `<messagePrefix><letter><JSON>`. What decodes is valid: nothing behind this file checks shapes again.
 */
import {
  encodeChanges,
  jsonToChanges,
  jsonToStockChanges,
  stockChangesToJson,
} from './changes-codec.ts';
import { isErrorCode } from './errors.ts';
import { asArray, asCount, asMatch, asObject, decodeJson, ShapeError, type Json } from './json.ts';
import {
  PROTOCOL_VERSION,
  REFUSAL_REASONS,
  type Ack,
  type Alive,
  type Check,
  type ClientMessage,
  type Commit,
  type Cursor,
  type ErrorMessage,
  type Hello,
  type Limits,
  type Ping,
  type Pong,
  type RoomMessage,
  type ForeignHello,
  type Welcome,
} from './messages.ts';
import { asClientId, asPushNumber, encodePush, faultOfPush, jsonToPush } from './push-codec.ts';

export {
  decodeChanges,
  decodeContent,
  decodeRows,
  encodeChanges,
  encodeContent,
} from './changes-codec.ts';
export {
  decodeETag,
  decodeLargePush,
  decodeSeedCorrection,
  encodeETag,
  encodeLargePush,
  encodeSeedCorrection,
} from './http-codec.ts';

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

/** As many as the largest safe integer has. */
const MOST_DIGITS = 16;
const PUSH_BEGINNING = /^\[(\d+),/;
const EPOCH = /^[\w-]{1,64}$/;

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
  return prefix + LETTERS.push + encodePush(number, changes, ackedPush);
}

/** Encodes a commit whose changes were encoded before, by {@link encodeChanges}. */
export function encodeCommitFrame(prefix: string, version: number, changes: string): string {
  return `${prefix}${LETTERS.commit}[${version},${changes}]`;
}

/** Encodes what a client sends. */
export function encodeClientMessage(prefix: string, message: ClientMessage): string {
  switch (message.type) {
    case 'hello':
      return frame(prefix, LETTERS.hello, helloToJson(message));
    case 'foreign-hello':
      return frame(prefix, LETTERS.hello, { protocol: message.protocol });
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
      return prefix + LETTERS.welcome + encodeWelcome(message);
    case 'commit':
      return encodeCommitFrame(prefix, message.version, encodeChanges(message.changes));
    case 'ack':
      return prefix + LETTERS.ack + encodeAck(message);
    case 'pong':
      return frame(prefix, LETTERS.pong, [message.version, message.lastPush]);
    case 'alive':
      return encodeAlive(prefix);
    case 'error':
      return frame(prefix, LETTERS.error, errorToJson(message));
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
      return decodeJson('hello', parts.json, jsonToHello);
    case LETTERS.push:
      return decodeJson('push', parts.json, jsonToPush, faultOfPush);
    case LETTERS.ping:
      return decodeJson('ping', parts.json, jsonToPing);
    case LETTERS.stock:
      return decodeJson('changes', parts.json, jsonToStockChanges);
    default:
      return undefined;
  }
}

/** The number of a push that does not decode, if it begins like one; undefined for any other frame. */
export function decodePushNumber(prefix: string, data: unknown): number | undefined {
  if (typeof data !== 'string' || !data.startsWith(prefix + LETTERS.push)) return undefined;
  const start = prefix.length + LETTERS.push.length;
  const [, digits] = PUSH_BEGINNING.exec(data.slice(start, start + MOST_DIGITS + 2)) ?? [];
  const number = Number(digits);
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}

/** Decodes what a room sent, as {@link decodeClientMessage} does for the other direction. */
export function decodeRoomMessage(prefix: string, data: unknown): RoomMessage | undefined {
  const parts = splitFrame(prefix, data);
  switch (parts?.letter) {
    case LETTERS.welcome:
      return decodeJson('welcome', parts.json, jsonToWelcome);
    case LETTERS.commit:
      return decodeJson('commit', parts.json, jsonToCommit);
    case LETTERS.ack:
      return decodeJson('ack', parts.json, jsonToAck);
    case LETTERS.pong:
      return decodeJson('pong', parts.json, jsonToPong);
    case LETTERS.error:
      return decodeJson('error', parts.json, jsonToError);
    case LETTERS.stock:
      return decodeJson('changes', parts.json, jsonToStockChanges);
    default:
      return undefined;
  }
}

function frame(prefix: string, letter: string, json: Json): string {
  return prefix + letter + JSON.stringify(json);
}

function splitFrame(prefix: string, data: unknown): { letter: string; json: string } | undefined {
  if (typeof data !== 'string' || !data.startsWith(prefix)) return undefined;
  const letter = data[prefix.length];
  return letter === undefined ? undefined : { letter, json: data.slice(prefix.length + 1) };
}

function helloToJson(hello: Hello): Json {
  return {
    protocol: PROTOCOL_VERSION,
    client: hello.clientId,
    generation: hello.generation,
    cursor: hello.cursor === undefined ? null : [hello.cursor.epoch, hello.cursor.version],
    next: hello.nextPush,
    acked: hello.ackedPush,
  };
}

/** Of another version of the protocol, only the version is read: the rest may have any shape (FRAME-4). */
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

function jsonToCursor(json: Json | undefined): Cursor {
  const [epoch, version] = asArray(json, 2, 2);
  return { epoch: asMatch(epoch, EPOCH), version: asCount(version) };
}

function jsonToPing(json: Json | undefined): Ping | Check {
  const [isCheck] = asArray(json, 0, 1);
  if (isCheck === undefined) return { type: 'ping' };
  if (isCheck !== 1) throw new ShapeError('neither a ping nor a check');
  return { type: 'check' };
}

function encodeWelcome({ generation, cursor, lastPush, limits, changes }: Welcome): string {
  const cursorText = JSON.stringify([cursor.epoch, cursor.version]);
  const limitsText = JSON.stringify([limits.framePushBytes, limits.pushBytes]);
  const changesText = changes === undefined ? 'null' : encodeChanges(changes);
  return `{"generation":${generation},"cursor":${cursorText},"pushed":${lastPush},"limits":${limitsText},"changes":${changesText}}`;
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

function encodeAck({ number, version, isCommit, correction, reason }: Ack): string {
  const beginning = `[${number},${version},${isCommit ? 1 : 0}`;
  if (correction === undefined && reason === undefined) return `${beginning}]`;
  const correctionText = correction === undefined ? 'null' : encodeChanges(correction);
  if (reason === undefined) return `${beginning},${correctionText}]`;
  return `${beginning},${correctionText},${JSON.stringify(reason)}]`;
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
    reason: REFUSAL_REASONS.find((known) => known === reason),
  };
}

function jsonToPong(json: Json | undefined): Pong | Alive {
  const [version, lastPush] = asArray(json, 0, 2);
  if (version === undefined) return { type: 'alive' };
  return { type: 'pong', version: asCount(version), lastPush: asCount(lastPush) };
}

function errorToJson({ code, message, push }: ErrorMessage): Json {
  return push === undefined ? { code, message } : { code, message, push };
}

function jsonToError(json: Json | undefined): ErrorMessage {
  const { code, message, push } = asObject(json);
  if (!isErrorCode(code) || typeof message !== 'string') throw new ShapeError('unknown error code');
  return { type: 'error', code, message, ...(push !== undefined && { push: asPushNumber(push) }) };
}
