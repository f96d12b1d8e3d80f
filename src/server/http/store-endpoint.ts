import {
  decodeSendableContent,
  decodeETag,
  encodeAroundContent,
  encodeETag,
  encodeSeedAnswer,
} from '../../protocol/codec.ts';
import { ERRORS, isTellable, TinyBasePartyKitError } from '../../protocol/errors.ts';

import { assertFewThings } from '../writes/parse-cost.ts';
import { readBody, type HttpBody } from './http-body.ts';
import type { Room } from '../room/room.ts';
import type { WaitingBody } from '../room/waiting-bodies.ts';

/** The part of a request that the endpoint reads. */
export interface StoreRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: { get(name: string): string | null };
  readonly body: HttpBody | null;
}

/** The options of the endpoint for a room's content. */
export interface StoreEndpointOptions {
  /** The end of the path of a URL that is answered. */
  readonly storePath: string;
  /** The headers of every answer, in addition to those that the protocol needs. */
  readonly responseHeaders: HeadersInit;
  /** Gets every error that is not in the protocol; the answer is 503. */
  readonly onError: (error: unknown) => void;
}

/** The default headers: other origins may do everything. */
export const DEFAULT_RESPONSE_HEADERS: Readonly<Record<string, string>> = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Methods': '*',
  'Access-Control-Allow-Headers': '*',
};

/** The methods for a room's content. */
export const STORE_METHODS = 'GET, HEAD, PUT, OPTIONS';
const JSON_TYPE = { 'Content-Type': 'application/json' };
/** A cache may keep a 404 or 405 by itself (RFC 9110, section 15.1), and others would get it later. */
const UNCACHED = { 'Cache-Control': 'no-store' };
const RETRY_SECONDS = '5';
const EXPOSED = 'Access-Control-Expose-Headers';
/** The most bytes of a refused body that are held; up to 16 times as many are read. */
const LONGEST_REFUSED_BODY = 2 ** 20;

/**
 * Answers requests for a room's content (`HTTP-1` to `HTTP-4`): GET and HEAD return the content, PUT sets the initial
 * content. Never rejects.
 */
export async function answerStoreRequest<Request extends StoreRequest>(
  room: Room<unknown, Request>,
  request: Request,
  options: StoreEndpointOptions,
): Promise<Response> {
  try {
    const { pathname } = new URL(request.url);
    if (!pathname.endsWith(options.storePath)) {
      const answered = await room.answer(request, pathname);
      if (answered !== undefined) return answered;
      await dropBody(room, request);
      throw new TinyBasePartyKitError(
        'not-found',
        'There is nothing at this path: check storePath, party and room.',
      );
    }
    return await answer(room, request, options);
  } catch (error) {
    return errorResponse(error, request, options);
  }
}

async function answer<Request extends StoreRequest>(
  room: Room<unknown, Request>,
  request: Request,
  options: StoreEndpointOptions,
): Promise<Response> {
  if (room.hasGate && request.method !== 'OPTIONS') await assertAdmitted(room, request);
  const waiting = request.body === null ? undefined : room.bodies.enter(room.limits);
  try {
    return await answerHolding(room, request, options, waiting);
  } finally {
    waiting?.leave();
  }
}

async function answerHolding<Request extends StoreRequest>(
  room: Room<unknown, Request>,
  request: Request,
  options: StoreEndpointOptions,
  waiting: WaitingBody | undefined,
): Promise<Response> {
  switch (request.method) {
    case 'GET':
    case 'HEAD':
      return await answerGet(room, request, options);
    case 'PUT': {
      const body = await bodyOf(request, room.limits.bodyBytes, waiting);
      return await room.bodies.decode(async () => await answerPut(room, request, options, body));
    }
    case 'OPTIONS':
      return respond(options, 204, null, { Allow: STORE_METHODS });
    default: {
      // An answer that leaves a body unread makes some hosts reset the connection.
      await readBody(request.body, room.limits.bodyBytes, waiting).catch(() => undefined);
      const message = `The method ${request.method} does not work here: use ${STORE_METHODS}.`;
      return respond(options, 405, JSON.stringify({ code: 'malformed', message }), {
        Allow: STORE_METHODS,
        ...UNCACHED,
        ...JSON_TYPE,
      });
    }
  }
}

async function answerPut<Request extends StoreRequest>(
  room: Room<unknown, Request>,
  request: Request,
  options: StoreEndpointOptions,
  body: string,
): Promise<Response> {
  // The body may have come slowly, and its user may be revoked by now.
  if (room.hasGate) await room.admitRequest(request, 'write');
  assertFewThings('The content', body, room.limits.contentBytes);
  const content = decodeSendableContent(body);
  if (content === undefined)
    throw new TinyBasePartyKitError('malformed', 'Invalid content: the body is empty.');
  const outcome = await room.seed(content, request);
  if (outcome.type === 'exists') return respond(options, 205);
  const { refused, cursor } = outcome;
  const told = refused ?? (cursor !== undefined && wantsCursor(request) ? { cursor } : undefined);
  return told === undefined
    ? respond(options, 201)
    : respond(options, 201, encodeSeedAnswer(told), JSON_TYPE);
}

/** Rejects with the error that refuses a request. */
async function assertAdmitted<Request extends StoreRequest>(
  room: Room<unknown, Request>,
  request: Request,
): Promise<void> {
  try {
    await room.admitRequest(request, request.method === 'PUT' ? 'write' : 'read');
  } catch (error) {
    await dropBody(room, request);
    throw error;
  }
}

/** Reads a body that nobody wants, because an answer that leaves one unread makes some hosts reset the connection. */
async function dropBody<Request extends StoreRequest>(
  { refusedBodies, limits }: Room<unknown, Request>,
  { body }: Request,
): Promise<void> {
  if (body === null) return;
  try {
    const waiting = refusedBodies.enter(limits);
    await readBody(body, LONGEST_REFUSED_BODY, waiting).finally(() => waiting.leave());
  } catch {
    // Too many at once, or the body broke off. The answer is the same.
  }
}

async function answerGet<Request extends StoreRequest>(
  room: Room<unknown, Request>,
  request: Request,
  options: StoreEndpointOptions,
): Promise<Response> {
  const { cursor, json } = await room.content();
  if (request.method === 'GET' && wantsCursor(request)) {
    const { head, tail } = encodeAroundContent(cursor);
    const body = room.answers.bodyOf(json ?? 'null', room.limits.heldLength, head, tail);
    return respond(options, 200, body, { 'Cache-Control': 'no-store, no-transform', ...JSON_TYPE });
  }
  const headers = { ETag: encodeETag(cursor), 'Cache-Control': 'no-store' };
  if (isKnown(request.headers.get('If-None-Match'), headers.ETag)) {
    return respond(options, 304, null, headers);
  }
  const body =
    request.method === 'HEAD' ? null : room.answers.bodyOf(json ?? '', room.limits.heldLength);
  return respond(options, 200, body, { ...headers, 'Content-Type': 'text/plain;charset=UTF-8' });
}

/** A client of this package asks for the cursor beside the content (HTTP-7, HTTP-9). */
function wantsCursor({ url }: StoreRequest): boolean {
  return new URL(url).searchParams.has('cursor');
}

/** RFC 9110, section 13.1.2: a list of ETags, compared weakly, or `*`. */
function isKnown(ifNoneMatch: string | null, etag: string): boolean {
  return (ifNoneMatch ?? '').split(',').some((candidate) => {
    const cursor = decodeETag(candidate.trim());
    return candidate.trim() === '*' || (cursor !== undefined && encodeETag(cursor) === etag);
  });
}

async function bodyOf(
  request: StoreRequest,
  limit: number,
  waiting: WaitingBody | undefined,
): Promise<string> {
  let text: string | undefined;
  try {
    text = await readBody(request.body, limit, waiting);
  } catch (cause) {
    if (isTellable(cause)) throw cause;
    // The client is gone, which is not a fault of the room.
    throw new TinyBasePartyKitError('unavailable', 'The body broke off: send it again.', { cause });
  }
  if (text === undefined) {
    throw new TinyBasePartyKitError(
      'too-large',
      `The body is over the limit of ${limit} bytes: send less, or raise the room's config.limits.`,
    );
  }
  return text;
}

function errorResponse(
  error: unknown,
  request: StoreRequest,
  options: StoreEndpointOptions,
): Response {
  if (!isTellable(error)) options.onError(error);
  const { code, message } = isTellable(error)
    ? error
    : new TinyBasePartyKitError('unavailable', 'The room failed to answer: try again later.');
  const body = request.method === 'HEAD' ? null : JSON.stringify({ code, message });
  const status = ERRORS[code].httpStatus;
  // RFC 9110, section 15.5.2.
  const challenge = status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {};
  const pause = code === 'overloaded' ? { 'Retry-After': RETRY_SECONDS } : {};
  return respond(options, status, body, { ...UNCACHED, ...JSON_TYPE, ...challenge, ...pause });
}

function respond(
  options: StoreEndpointOptions,
  status: number,
  body: BodyInit | null = null,
  own: Readonly<Record<string, string>> = {},
): Response {
  const headers = new Headers(options.responseHeaders);
  for (const [name, value] of Object.entries(own)) headers.set(name, value);
  const exposed = headers.get(EXPOSED);
  // A list that names ETag already does not need it twice; `*` does not work for requests with credentials.
  if (exposed === null) headers.set(EXPOSED, 'ETag');
  else if (!/(?:^|,)\s*etag\s*(?:,|$)/iu.test(exposed)) headers.set(EXPOSED, `${exposed}, ETag`);
  return new Response(body, { status, headers });
}
