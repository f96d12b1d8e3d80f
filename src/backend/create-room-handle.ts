import { SignJWT } from 'jose';

import type { AdminCommand } from '../protocol/admin/admin-command.ts';
import {
  ADMIN_PATH,
  ADMIN_TOKEN_SECONDS,
  ADMIN_TOKEN_TYPE,
  sha256Of,
} from '../protocol/admin/admin-token.ts';
import { encodeData } from '../protocol/events/event-data.ts';
import { isErrorCode, TinyBasePartyKitError, type ErrorCode } from '../protocol/errors.ts';
import { assertKnownOptions } from '../protocol/known-options.ts';
import { cutMessage } from '../protocol/messages/error.ts';
import { randomId } from '../protocol/random-id.ts';
import {
  isEvictionTarget,
  type EvictionTarget,
  type RoomDocument,
  type RoomStats,
} from '../protocol/room-handle.ts';
import {
  DEFAULT_PARTY,
  FEWEST_SECRET_BYTES,
  isSecret,
  TOKEN_ALGORITHM,
} from '../protocol/user-token.ts';

const MILLISECONDS_PER_SECOND = 1000;
const TIMEOUT_MILLISECONDS = 30_000;
const DEFAULT_PREFIX = 'parties';
/** The longest answer that is read: no room sends more, and something else may send without end. */
const MOST_ANSWER_BYTES = 2 ** 28;

/** Sends a request, as the global `fetch` does. */
export type SendRequest = (url: string, init: RequestInit) => Promise<Response>;

/** The options of {@link createRoomHandle}. */
export interface RoomHandleOptions {
  /** The scheme, host and port of the server of rooms, such as `'https://rooms.example'`. */
  readonly origin: string;
  /** The id of the room. */
  readonly room: string;
  /** The secret of the room's `createAdmin`, of at least 32 bytes. Keep it on servers. */
  readonly secret: string;
  /** The party of the room. `'main'` by default. */
  readonly party?: string;
  /** The beginning of the path of rooms. `'parties'` by default; PartySocket has an option of the same name. */
  readonly prefix?: string;
  /** The time for one command. 30,000 by default. */
  readonly timeoutMilliseconds?: number;
  /** Replaces the global `fetch`, for example by the `fetch` of a binding. */
  readonly fetch?: SendRequest;
}

/** Every option; the compiler complains if one is missing. */
const OPTIONS: Readonly<Record<keyof RoomHandleOptions, true>> = {
  origin: true,
  room: true,
  secret: true,
  party: true,
  prefix: true,
  timeoutMilliseconds: true,
  fetch: true,
};

/**
 * A room, for a backend. Every method rejects with a `TinyBasePartyKitError`: its `code` and `isRetryable` say if trying
 * again can help. After `network`, the room may or may not have run the command.
 */
export interface RoomHandle {
  /** The id of the room. */
  readonly roomId: string;
  /** Resolves to the number of open connections that the room has let in. */
  getSize(): Promise<number>;
  /** Resolves to the connections of the room, its version and its sizes. */
  getStats(): Promise<RoomStats>;
  /**
   * Closes connections with `forbidden`, and resolves to their number: one with that id, or all of one user. Evicting a user
   * also revokes it. Clients of this package stop, until their app starts them again.
   */
  evict(target: EvictionTarget): Promise<number>;
  /** Closes all connections with `forbidden`, and resolves to their number. The room stays as it is. */
  evictAll(): Promise<number>;
  /** Removes dead connections, and what storage does not need any more. */
  garbageCollect(): Promise<void>;
  /** Resolves to the room as one JSON document; undefined if the room has no Store yet. */
  exportRoom(): Promise<RoomDocument | undefined>;
  /** Replaces the room by a document of `exportRoom`, perhaps of another room. */
  restoreRoom(document: RoomDocument): Promise<void>;
  /** Removes all that the room has stored. The room is then one without a Store. */
  wipe(): Promise<void>;
  /** Sends an event to all connections, as the room's own `events.broadcast` does. */
  broadcast(name: string, data?: unknown): Promise<void>;
}

/**
 * Makes the handle of a room, for any backend that has Web Crypto and `fetch`. It sends nothing before you call a method.
 * The room needs `createAdmin` with the same secret. Throws a `TypeError` that names the wrong option.
 *
 * @example
 * ```ts
 * import { createRoomHandle } from 'tinybase-partykit/backend';
 *
 * export async function remove(secret: string, userId: string): Promise<number> {
 *   const board = createRoomHandle({ origin: 'https://rooms.example', room: 'my-board', secret });
 *   return await board.evict({ user: userId });
 * }
 * ```
 */
export function createRoomHandle(options: RoomHandleOptions): RoomHandle {
  assertKnownOptions('createRoomHandle', options, OPTIONS);
  const { room } = options;
  const call = createCaller(options);
  const callFor = async <Result>(
    command: AdminCommand,
    isResult: (result: unknown) => result is Result,
  ): Promise<Result> => {
    const result = await call(command);
    if (isResult(result)) return result;
    const message = `The room ${JSON.stringify(room)} answered ${command.do} with something else: use the same release of tinybase-partykit in the room and in the backend.`;
    throw new TinyBasePartyKitError('network', message);
  };
  const send = async (command: AdminCommand): Promise<void> => void (await call(command));
  return {
    roomId: room,
    getSize: () => callFor({ do: 'getSize' }, isNumber),
    getStats: () => callFor({ do: 'getStats' }, isStats),
    evict: async (target) => {
      if (!isEvictionTarget(target)) {
        throw new TypeError(
          'evict() does not know which connection to close: pass the id of a connection, or an object with either connection or user, which is an id.',
        );
      }
      return await callFor(evictionOf(target), isNumber);
    },
    evictAll: () => callFor({ do: 'evictAll' }, isNumber),
    garbageCollect: () => send({ do: 'garbageCollect' }),
    exportRoom: () => callFor({ do: 'exportRoom' }, isDocument),
    restoreRoom: (document) => send({ do: 'restoreRoom', document }),
    wipe: () => send({ do: 'wipe' }),
    broadcast: (name, data) => send({ do: 'broadcast', name, data }),
  };
}

/** Sends a command, and resolves to its result. */
type Caller = (command: AdminCommand) => Promise<unknown>;

function createCaller(options: RoomHandleOptions): Caller {
  const {
    room,
    secret,
    party = DEFAULT_PARTY,
    timeoutMilliseconds = TIMEOUT_MILLISECONDS,
  } = options;
  if (!isSecret(secret)) {
    throw new TypeError(
      `createRoomHandle has no usable secret: give the option secret a text of at least ${FEWEST_SECRET_BYTES} bytes. Check that the variable it comes from is set.`,
    );
  }
  if (typeof party !== 'string' || party === '')
    throw new TypeError('createRoomHandle got an empty party: give the option party a name.');
  const timeout: unknown = timeoutMilliseconds;
  if (!(typeof timeout === 'number' && timeout > 0 && timeout <= 2 ** 31 - 1)) {
    throw new TypeError(
      'createRoomHandle cannot use the option timeoutMilliseconds: give it a number above 0.',
    );
  }
  if (options.fetch !== undefined && typeof options.fetch !== 'function')
    throw new TypeError('createRoomHandle cannot use the option fetch: give it a function.');
  const url = urlOf(options, party);
  const key = new TextEncoder().encode(secret);
  return async (command) => {
    const what = `${command.do} of the room ${JSON.stringify(room)}`;
    const body = encode(command, what);
    const issuedAt = Math.floor(Date.now() / MILLISECONDS_PER_SECOND);
    const token = await new SignJWT({ room, sha256: await sha256Of(body) })
      .setProtectedHeader({ alg: TOKEN_ALGORITHM, typ: ADMIN_TOKEN_TYPE })
      .setAudience(party)
      .setJti(randomId())
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + ADMIN_TOKEN_SECONDS)
      .sign(key);
    const send = options.fetch ?? fetch;
    let response: Response;
    let text: string | undefined;
    const signal = AbortSignal.timeout(Math.ceil(timeoutMilliseconds));
    // A fetch of the app's own may not heed the signal.
    const silence = whenAborted(signal);
    try {
      response = await Promise.race([
        send(url, {
          method: 'POST',
          headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
          body,
          // A signature is for one place alone.
          redirect: 'manual',
          signal,
        }),
        silence,
      ]);
      text = await Promise.race([readText(response, signal), silence]);
    } catch (cause) {
      const message = `${what} had no answer from ${url}: check that the server is running, and the option origin.`;
      throw new TinyBasePartyKitError('network', message, { cause });
    }
    if (text === undefined) throw foreign(what, 'over 256 MiB', url);
    return resultOf(text, response.status, what, url);
  };
}

/** Encodes a command. Throws `malformed` if what it brings is not JSON. */
function encode(command: AdminCommand, what: string): string {
  try {
    // JSON would leave out a function.
    if (command.do === 'broadcast') encodeData(command.data);
    return JSON.stringify(command);
  } catch (cause) {
    const message = `${what} was not sent: what it got is not JSON.`;
    throw new TinyBasePartyKitError('malformed', message, { cause });
  }
}

/** Rejects when the signal is aborted. */
function whenAborted(signal: AbortSignal): Promise<never> {
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  aborted.catch(() => undefined);
  return aborted;
}

/** Reads a body as it comes, until the signal is aborted. Resolves to undefined if it is too long. */
async function readText(response: Response, signal: AbortSignal): Promise<string | undefined> {
  const { body } = response;
  // A fetch of the app's own may give anything.
  if (typeof body?.getReader !== 'function') return await response.text();
  const reader = body.getReader();
  const stop = (): void => void reader.cancel().catch(() => undefined);
  signal.addEventListener('abort', stop, { once: true });
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > MOST_ANSWER_BYTES) {
      stop();
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** Reads an answer. Throws the room's error, or `network` for the answer of something else. */
function resultOf(text: string, status: number, what: string, url: string): unknown {
  const answer = parse(text);
  if (status === 200 && answer !== undefined)
    return Object.hasOwn(answer, 'result') ? Reflect.get(answer, 'result') : undefined;
  const code: unknown = answer && Reflect.get(answer, 'code');
  const told: unknown = answer && Reflect.get(answer, 'message');
  if (status !== 200 && isErrorCode(code) && typeof told === 'string') {
    throw new TinyBasePartyKitError(
      code,
      `${what} failed: ${cutMessage(told)}${hintOf(code, url)}`,
    );
  }
  throw foreign(what, String(status), url);
}

function foreign(what: string, answer: string, url: string): TinyBasePartyKitError {
  const message = `${what} was answered with ${answer} by something that is not a room: check the options origin, party and prefix, which lead to ${url}.`;
  return new TinyBasePartyKitError('network', message);
}

/** Returns a sentence on what else may be wrong if the room answers with that code. */
function hintOf(code: ErrorCode, url: string): string {
  if (code === 'not-found')
    return ' If these are right, the room has no createAdmin, or its secret is missing or too short.';
  return code === 'forbidden' && url.includes('%25')
    ? ' If these are right, the % in the name is the reason: on PartyKit, no handle reaches such a room. Use a name without it.'
    : '';
}

function parse(text: string): object | undefined {
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === 'object' && answer !== null ? answer : undefined;
  } catch {
    return undefined;
  }
}

function urlOf(
  { origin, room, prefix = DEFAULT_PREFIX }: RoomHandleOptions,
  party: string,
): string {
  const server = typeof origin === 'string' && URL.canParse(origin) ? new URL(origin) : undefined;
  const isOrigin =
    (server?.protocol === 'https:' || server?.protocol === 'http:') &&
    (server.href === server.origin || server.href === `${server.origin}/`);
  if (server === undefined || !isOrigin) {
    throw new TypeError(
      'createRoomHandle cannot use the option origin: give it scheme, host and port alone, such as https://rooms.example.',
    );
  }
  const segments = [party, room].map((segment) => {
    // A URL parser takes the dots for another folder.
    const isPossible = typeof segment === 'string' && !/^\.{0,2}$/u.test(segment);
    const encoded = isPossible ? encodeSegment(segment) : undefined;
    if (encoded !== undefined) return encoded;
    throw new TypeError(
      'createRoomHandle cannot address the room: give the options room and party texts that a URL can have.',
    );
  });
  if (typeof prefix !== 'string')
    throw new TypeError('createRoomHandle cannot use the option prefix: give it a path.');
  const folders = prefix.split('/').filter((folder) => folder !== '');
  return [server.origin, ...folders, ...segments].join('/') + ADMIN_PATH;
}

/** Encodings that neither PartySocket nor a URL parser writes. On PartyKit, another spelling is another room. */
const NEEDLESS = /%(?:24|26|2B|2C|3A|3B|3D|40|5B|5D|5E|7C)/gu;

/** Returns undefined for a text that is not well-formed. */
function encodeSegment(segment: string): string | undefined {
  try {
    return encodeURIComponent(segment).replaceAll(NEEDLESS, decodeURIComponent);
  } catch {
    return undefined;
  }
}

function evictionOf(target: EvictionTarget): AdminCommand {
  if (typeof target === 'string') return { do: 'evict', connection: target };
  return target.user === undefined
    ? { do: 'evict', connection: target.connection }
    : { do: 'evict', user: target.user };
}

function isNumber(result: unknown): result is number {
  return typeof result === 'number';
}

function isStats(result: unknown): result is RoomStats {
  return (
    typeof result === 'object' &&
    result !== null &&
    'connections' in result &&
    Array.isArray(result.connections) &&
    'version' in result &&
    isNumber(result.version)
  );
}

function isDocument(result: unknown): result is RoomDocument | undefined {
  return (
    result === undefined || (typeof result === 'object' && result !== null && 'format' in result)
  );
}
