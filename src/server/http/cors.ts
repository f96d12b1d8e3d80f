import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { hearRejection, isThenable } from '../room/maybe-promise.ts';
import { tellApp } from '../room/tell-app.ts';
import { DEFAULT_RESPONSE_HEADERS, STORE_METHODS } from './store-endpoint.ts';

/** The origins whose pages may use a room with credentials: a list, or a function that decides. */
export type AllowedOrigins = readonly string[] | ((origin: string) => boolean);

const ORIGIN = 'Access-Control-Allow-Origin';
const CREDENTIALS = 'Access-Control-Allow-Credentials';
const METHODS = 'Access-Control-Allow-Methods';
const HEADERS = 'Access-Control-Allow-Headers';
/** The allowed headers if a request does not ask for any. */
const USUAL_HEADERS = 'Authorization, Content-Type, If-None-Match';

/** The options that decide which other origins may read an answer. */
export interface CorsOptions {
  /** The headers of every answer. By default every origin may do everything, without credentials. */
  readonly responseHeaders?: HeadersInit | undefined;
  /** Replaces the CORS headers in `responseHeaders`. */
  readonly allowedOrigins?: AllowedOrigins | undefined;
  /** Gets the error that `allowedOrigins` threw; the origin is then not allowed. */
  readonly onError?: (error: unknown) => void;
}

/**
 * Returns the configured headers of an answer. With `allowedOrigins`, an allowed origin may use credentials. A browser then
 * does not accept `*`, so the answer names the origin, the methods and the headers that the request asks for (`HTTP-5`;
 * Fetch standard, section 3.2.5).
 */
export function responseHeadersTo(
  request: { readonly headers: { get(name: string): string | null } },
  { responseHeaders, allowedOrigins, onError }: CorsOptions,
): Headers {
  const given = headersOf(
    responseHeaders === undefined ? DEFAULT_RESPONSE_HEADERS : responseHeaders,
  );
  if (allowedOrigins === undefined) return given;
  const headers = responseHeaders === undefined ? new Headers() : given;
  for (const name of [ORIGIN, CREDENTIALS, METHODS, HEADERS]) headers.delete(name);
  headers.append('Vary', 'Origin');
  const origin = request.headers.get('Origin');
  if (origin === null || !isAllowed(origin, allowedOrigins, onError)) return headers;
  headers.set(ORIGIN, origin);
  headers.set(CREDENTIALS, 'true');
  headers.set(METHODS, STORE_METHODS);
  headers.set(HEADERS, request.headers.get('Access-Control-Request-Headers') ?? USUAL_HEADERS);
  headers.append('Vary', 'Access-Control-Request-Headers');
  return headers;
}

/**
 * Adds the gate's headers to those of an answer. Where both name an origin that may read it, both have to allow it
 * (`GATE-10`).
 */
export function addGateHeaders(
  headers: Headers,
  own: Readonly<Record<string, string>>,
  { allowedOrigins }: Pick<CorsOptions, 'allowedOrigins'>,
): void {
  for (const [name, value] of Object.entries(own)) {
    if (name === 'Vary') {
      const varying = (headers.get(name) ?? '').split(',').map((part) => part.trim().toLowerCase());
      if (!varying.includes(value.toLowerCase())) headers.append(name, value);
    } else if (name !== ORIGIN || allowedOrigins === undefined) headers.set(name, value);
    else if (headers.get(ORIGIN) !== value) {
      headers.delete(ORIGIN);
      headers.delete(CREDENTIALS);
    }
  }
}

/** Returns no headers for what cannot be headers, as in code without types. */
function headersOf(given: HeadersInit): Headers {
  try {
    return new Headers(given);
  } catch {
    return new Headers();
  }
}

function isAllowed(
  origin: string,
  allowed: AllowedOrigins,
  onError: CorsOptions['onError'],
): boolean {
  if (typeof allowed !== 'function') {
    // What is no list, as in code without types, allows nothing.
    const list: readonly unknown[] = Array.isArray(allowed) ? allowed : [];
    return list.includes(origin) || list.includes(`${origin}/`);
  }
  try {
    const answer: unknown = allowed(origin);
    if (!isThenable(answer)) return answer === true;
    hearRejection(answer);
    const message =
      'The function allowedOrigins returned a promise, so it allows no origin: let it answer at once.';
    throw new TinyBasePartyKitError('misuse', message);
  } catch (error) {
    tellApp(() => onError?.(error));
    return false;
  }
}
