import { assertKnownOptions } from '../../../protocol/known-options.ts';
import { isTellable, TinyBasePartyKitError } from '../../../protocol/errors.ts';
import { NEEDS_GATE } from '../../room/room-feature.ts';
import { tellApp } from '../../room/tell-app.ts';
import { closedSocket } from '../../hosts/closed-socket.ts';
import { isUpgrade } from '../../hosts/hosted-server.ts';
import { roomIdOf } from '../../hosts/room-address.ts';
import { BEARER, type AuthRequest } from './auth-request.ts';
import type { Auth } from './define-auth.ts';
import { partyNameOf } from './party-name.ts';
import { inVerificationTime } from './verification-time.ts';

/** The room that a client wants to connect to, as PartyKit describes it. */
export interface EdgeLobby {
  /** The id of the room, as it stands in the URL. */
  readonly id: string;
  /** True on hosts other than PartyKit: the id is the name of the object, and is not decoded again. */
  readonly isIdDecoded?: boolean;
  readonly env: unknown;
}

/** A static `onBeforeConnect` of a room's class. */
export type EdgeGuard = <Asked extends AuthRequest>(
  request: Asked,
  lobby: EdgeLobby,
) => Promise<Asked | Response>;

/** Describes what {@link createEdgeGuard} makes. */
export interface EdgeGuardOptions {
  /** As in the `config` of the room. `''` by default. */
  readonly messagePrefix?: string;
  /** The party that tokens must name. Needed if the URL does not have the form `/parties/<party>/<room>`. */
  readonly party?: string;
  /** Gets the errors `failed` and `unavailable`, with causes that clients do not see. Writes to the console by default. */
  readonly onError?: (error: unknown) => void;
}

/** Every option; the compiler complains if one is missing. */
const OPTIONS: Readonly<Record<keyof EdgeGuardOptions, true>> = {
  messagePrefix: true,
  party: true,
  onError: true,
};

/**
 * Makes a static `onBeforeConnect` that refuses sockets before they wake a room. Use it on PartyKit: there a refused
 * client sees the close code at once. A token may also be longer than 1.9 KB, because the guard moves it from the URL to
 * a header. It asks nobody who sends a request over HTTP: that is what `createAuth` of the room does, which verifies all.
 *
 * @example
 * ```ts
 * import { TinyBasePartyKitServer } from 'tinybase-partykit/server';
 * import { createAuth, createEdgeGuard, defineAuth, type EdgeGuard } from 'tinybase-partykit/server/auth';
 * import { z } from 'zod';
 *
 * const auth = defineAuth({ secret: (env) => env['AUTH_SECRET'], user: z.object({ id: z.string() }) });
 *
 * export default class Board extends TinyBasePartyKitServer {
 *   static onBeforeConnect: EdgeGuard = createEdgeGuard(auth);
 *
 *   auth = createAuth(this, auth);
 * }
 * ```
 */
export function createEdgeGuard(
  auth: Auth<unknown, unknown>,
  options: EdgeGuardOptions = {},
): EdgeGuard {
  const rules: unknown = auth;
  if (typeof rules !== 'object' || rules === null || !('verify' in rules))
    throw new TypeError(
      'createEdgeGuard got no rules as its first parameter: give it what defineAuth returned.',
    );
  assertKnownOptions('createEdgeGuard', options, OPTIONS);
  const { messagePrefix = '', party, onError = logError } = options;
  if (typeof messagePrefix !== 'string' || typeof onError !== 'function')
    throw new TypeError(
      'createEdgeGuard cannot use the options messagePrefix and onError: give them a text and a function.',
    );
  if (party !== undefined && (typeof party !== 'string' || party === ''))
    throw new TypeError('createEdgeGuard got an unusable party: give the option party a name.');
  const guard: EdgeGuard = async <Asked extends AuthRequest>(
    request: Asked,
    { id, isIdDecoded, env }: EdgeLobby,
  ): Promise<Asked | Response> => {
    if (!isUpgrade(request)) return request;
    try {
      const room = isIdDecoded === true ? id : roomIdOf(id);
      const context = { party: party ?? partyNameOf(request.url), room, env, now: Date.now() };
      await inVerificationTime(auth.verify(request, context), after);
      return withTokenInHeader(request, auth.parameter);
    } catch (error) {
      const refusal = isTellable(error)
        ? error
        : new TinyBasePartyKitError('failed', 'The room failed to verify the token.', {
            cause: error,
          });
      if (refusal.code === 'failed' || refusal.code === 'unavailable')
        tellApp(() => onError(refusal));
      return closedSocket(request, refusal, messagePrefix);
    }
  };
  return Object.assign(guard, { [NEEDS_GATE]: true });
}

/** Returns the request with its token in a header: PartyKit keeps the URL of a socket and allows it few bytes. */
function withTokenInHeader<Asked extends AuthRequest>(request: Asked, parameter: string): Asked {
  const url = new URL(request.url);
  const token = url.searchParams.get(parameter);
  url.searchParams.delete(parameter);
  const moved: unknown = Reflect.construct(Request, [url, request]);
  if (token === null || !isSameKind(moved, request)) return request;
  if (!BEARER.test(moved.headers.get('Authorization') ?? ''))
    moved.headers.set('Authorization', `Bearer ${token}`);
  return moved;
}

/** Hosts have types of their own for what the constructor of requests makes. */
function isSameKind<Asked>(made: unknown, _asked: Asked): made is Asked & Request {
  return made instanceof Request;
}

function after(milliseconds: number, callback: () => void): () => void {
  const timer = setTimeout(callback, milliseconds);
  return () => clearTimeout(timer);
}

function logError(error: unknown): void {
  // oxlint-disable-next-line no-console
  console.error('tinybase-partykit: the guard failed to verify a token.', error);
}
