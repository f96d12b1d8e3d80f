import { ERRORS, type ErrorCode } from '../../protocol/errors.ts';
import { hasMethods } from '../../protocol/has-methods.ts';
import { assertKnownOptions } from '../../protocol/known-options.ts';

import { tellApp } from '../room/tell-app.ts';
import { roomAddressOf } from './room-address.ts';
import { responseHeadersTo, type AllowedOrigins } from '../http/cors.ts';

/** The part of a binding to Durable Objects that routing needs. */
export interface RoomNamespace {
  idFromName(name: string): unknown;
  get(id: unknown): { fetch(request: Request): Promise<Response> };
}

/** The options of {@link routeRoomRequest}. */
export interface RoomRouterOptions {
  /** The beginning of the path of a room. `'parties'` by default; PartySocket has an option of the same name. */
  readonly prefix?: string;
  /** The origins whose pages may use credentials, as in the room's `config`. It applies to the router's own answers. */
  readonly allowedOrigins?: AllowedOrigins;
  /** Gets the error of an object that failed; the answer is 503. Writes to the console by default. */
  readonly onError?: (error: unknown) => void;
}

/** Every option; the compiler complains if one is missing. */
const OPTIONS: Readonly<Record<keyof RoomRouterOptions, true>> = {
  prefix: true,
  allowedOrigins: true,
  onError: true,
};

/**
 * Hands a request for `/parties/<party>/<room>/…` to the object of that room. The name of the object is the room's id,
 * decoded once. Resolves to undefined if the path has another shape. The answer for an unknown party is 404, and for an
 * object that fails it is 503. Other origins can read both, so a client in a browser tries again. Rejects with a `TypeError` for
 * parameters and options of another kind, and for an option that does not exist, such as `onBeforeConnect` of partyserver's
 * router: it would keep nobody out.
 *
 * @example
 * ```ts
 * import { routeRoomRequest, type RoomNamespace } from 'tinybase-partykit/server/durable-object';
 *
 * export default {
 *   fetch: async (request: Request, env: { ROOM: RoomNamespace }): Promise<Response> =>
 *     (await routeRoomRequest(request, { main: env.ROOM })) ?? new Response(null, { status: 404 }),
 * };
 * ```
 *
 * @param parties the bindings, by the name of the party; PartySocket asks for `main` unless told otherwise.
 */
export async function routeRoomRequest(
  request: Request,
  parties: Readonly<Record<string, RoomNamespace>>,
  options: RoomRouterOptions = {},
): Promise<Response | undefined> {
  assertKnownOptions('routeRoomRequest', options, OPTIONS);
  assertParameters(request, parties, options);
  const address = roomAddressOf(request.url, options.prefix);
  if (address === undefined) return undefined;
  const namespace = Object.hasOwn(parties, address.party) ? parties[address.party] : undefined;
  if (namespace === undefined)
    return refuse(
      request,
      options,
      'not-found',
      'There is no party of that name: check the option party of the PartySocket, and the bindings.',
    );
  try {
    if (!hasMethods(namespace, ['idFromName', 'get']))
      throw new TypeError(
        `routeRoomRequest got no binding of Durable Objects for the party ${JSON.stringify(address.party)}: look at the names in env and in the configuration of the Worker.`,
      );
    return await namespace.get(namespace.idFromName(address.room)).fetch(request);
  } catch (error) {
    tellApp(() => (options.onError ?? logError)(error));
    const message = 'The room failed to answer: try again later.';
    return refuse(request, options, 'unavailable', message);
  }
}

/** Throws a `TypeError` for what is of another kind, as in code without types. */
function assertParameters(
  request: unknown,
  parties: unknown,
  { prefix, onError, allowedOrigins }: RoomRouterOptions,
): void {
  if (typeof Reflect.get(Object(request), 'url') !== 'string')
    throw notGot('request as its first parameter: give it that of fetch');
  if (Object(parties) !== parties)
    throw notGot('bindings as its second parameter: give it an object such as { main: env.ROOM }');
  if (prefix !== undefined && typeof prefix !== 'string') throw notGot('text as its option prefix');
  if (onError !== undefined && typeof onError !== 'function')
    throw notGot('function as its option onError');
  const kind = Array.isArray(allowedOrigins) ? 'undefined' : typeof allowedOrigins;
  if (kind !== 'undefined' && kind !== 'function')
    throw notGot('list and no function as its option allowedOrigins');
}

function notGot(what: string): TypeError {
  return new TypeError(`routeRoomRequest got no ${what}.`);
}

function refuse(
  request: Request,
  { allowedOrigins, onError = logError }: RoomRouterOptions,
  code: ErrorCode,
  message: string,
): Response {
  const headers = responseHeadersTo(request, { allowedOrigins, onError });
  headers.set('Cache-Control', 'no-store');
  return Response.json({ code, message }, { status: ERRORS[code].httpStatus, headers });
}

function logError(error: unknown): void {
  // oxlint-disable-next-line no-console
  console.error('tinybase-partykit: a room failed to answer.', error);
}
