import { decodeLoadedContent, decodeSeedAnswer, encodeContent } from '../../protocol/codec.ts';
import { ERRORS, TinyBasePartyKitError, type ErrorCode } from '../../protocol/errors.ts';
import * as errorMessage from '../../protocol/messages/error.ts';
import type { SessionEndpoint } from '../session/session-ports.ts';
import { createSilenceLimit, type SilenceLimit } from './silence-limit.ts';

/** The longest silence of the room, in an answer or before it. */
const SILENCE_MILLISECONDS = 30_000;

/** The least that comes in that time: with less, a body would never end. */
const LEAST_BYTES = 1024;

/** The longest body that is read. Without a limit, one that never ends would fill the memory. */
const MOST_BYTES = 2 ** 28;

/** The longest body of an error that is read. */
const MOST_ERROR_BYTES = 2 ** 22;

/** The longest time for a body that comes as a whole, so that its progress is unknown. */
const WHOLE_BODY_MILLISECONDS = 300_000;

/** The slowest upload that the client waits for, in characters a millisecond. */
const UPLOAD_PACE = 4;

const NO_ERROR_MESSAGE = 'What it threw is no Error: see the cause of this one.';
const BROKEN_MESSAGE = 'The answer to GET broke off: the client requests it again.';

const TOO_LARGE_MESSAGE = 'The answer to GET is over 256 MiB. Check host, proxy and storePath.';

/** The status of a PUT that gave the room its initial content. */
const CREATED = 201;

/** The status of a PUT to a room that keeps its own content. */
const RESET_CONTENT = 205;

const ON_REQUEST =
  'If your room overrides onRequest, return super.onRequest(request) for all other requests.';

/** The codes of answers to GET that do not tell theirs: an app or its host may refuse somebody or be elsewhere. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  426: 'protocol',
  429: 'overloaded',
  503: 'unavailable',
};

/** The app's own way to make requests. */
export interface HttpOptions {
  readonly fetch?: typeof fetch | undefined;
  readonly credentials?: RequestCredentials | undefined;
}

/**
 * Creates the client of the room's `/store`, with `fetch`. Calls `url` before every request, so that it can carry a fresh
 * token. Rejects with a typed error unless the answer is the documented one; its `cause` is the unread Response, if there was one.
 */
export function createHttpEndpoint(
  url: () => Promise<string>,
  after: (milliseconds: number, callback: () => void) => () => void,
  options: HttpOptions,
): SessionEndpoint {
  /** Resolves to what `read` makes of the answer. */
  const request = async <T>(
    method: 'GET' | 'PUT',
    body: string | undefined,
    unique: string | undefined,
    isExpected: (status: number) => boolean,
    read: (response: Response, limit: SilenceLimit) => Promise<T>,
  ): Promise<T> => {
    const address = await url().catch((cause: unknown) => {
      if (cause instanceof TinyBasePartyKitError) throw cause;
      const why = cause instanceof Error ? cause.message : NO_ERROR_MESSAGE;
      const message = `${method} was not sent: the socket's query failed. ${why}`;
      throw new TinyBasePartyKitError('network', message, { cause });
    });
    const joint = address.includes('?') ? '&' : '?';
    const target = `${address}${joint}cursor${unique === undefined ? '' : `&unique=${unique}`}`;
    const { fetch: ownFetch = fetch, credentials } = options;
    const upload = (body?.length ?? 0) / UPLOAD_PACE;
    const limit = createSilenceLimit(after, SILENCE_MILLISECONDS + upload);
    try {
      const send = async (): Promise<readonly [Response, boolean]> => {
        const answer = await ownFetch(target, {
          method,
          ...(body === undefined ? {} : { body }),
          ...(credentials === undefined ? {} : { credentials }),
          mode: 'cors',
          cache: 'no-store',
          signal: limit.signal,
        });
        // An app's own fetch may give anything.
        return [answer, isExpected(answer.status)];
      };
      const [response, isGood] = await limit.race(send()).catch((cause: unknown) => {
        const message = `${method} ${withoutQuery(target)} had no answer. Is the server running? Does it have this party? May this page reach it (CORS, https)?`;
        throw new TinyBasePartyKitError('network', message, { cause });
      });
      if (!isGood) throw await errorOf(method, target, response, limit);
      return await read(response, limit);
    } finally {
      limit.end();
    }
  };
  return {
    get: async (unique, onBytes) => {
      const text = await request('GET', undefined, unique, isWhole, (response, limit) =>
        readText(response, limit, onBytes).catch((cause: unknown) => {
          if (cause instanceof TinyBasePartyKitError) throw cause;
          throw new TinyBasePartyKitError('network', BROKEN_MESSAGE, { cause });
        }),
      );
      try {
        return decodeLoadedContent(text);
      } catch (cause) {
        const isOfRoom = text.startsWith('{"cursor":[');
        // The room itself sent this content, so another request would get the same. What is no JSON was not sent like that.
        if (isOfRoom && !(cause instanceof Error && cause.cause instanceof SyntaxError))
          throw cause;
        // Another server may have answered, such as the login page of a network.
        const message = isOfRoom
          ? BROKEN_MESSAGE
          : `The answer to GET has no content of a room. Check host, proxy and storePath. ${ON_REQUEST}`;
        throw new TinyBasePartyKitError('network', message, { cause });
      }
    },
    put: (content) => {
      return request('PUT', encodeContent(content), undefined, isTaken, async (response, limit) => {
        if (response.status !== CREATED) return undefined;
        try {
          return decodeSeedAnswer(await readText(response, limit));
        } catch {
          // An empty body means that nothing was refused. After that, or an unreadable one, a GET brings the content.
          return undefined;
        }
      });
    },
  };
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** True for the answers to a GET that have a whole body. */
function isWhole(status: number): boolean {
  return status >= 200 && status < 204;
}

/** True for the answers to a PUT that the room gives (HTTP-2). */
function isTaken(status: number): boolean {
  return status === CREATED || status === RESET_CONTENT;
}

async function errorOf(
  method: string,
  target: string,
  response: Response,
  limit: SilenceLimit,
): Promise<TinyBasePartyKitError> {
  const { status } = response;
  // What else answers a PUT may be a proxy, or a handler that was not meant for it (SEED-8).
  const foreign = (method === 'GET' ? CODES[status] : undefined) ?? 'network';
  // Where something else answers as if all were well, its body is of no use.
  const told = isSuccess(status)
    ? undefined
    : await errorIn(response, limit).catch(() => undefined);
  const code = told?.code ?? foreign;
  const hint = isSuccess(status)
    ? `, which is not the answer of a room. ${ON_REQUEST}`
    : told?.message
      ? `: ${told.message}`
      : code === 'not-found'
        ? '. Check storePath, party and room.'
        : ". Check the server's log.";
  const message = `${method} ${withoutQuery(target)} was answered with ${status}${hint}`;
  // A getter: consoles show the value of any other cause, and the Response has the URL with its query.
  return Object.defineProperty(new TinyBasePartyKitError(code, message), 'cause', {
    get: () => response,
  });
}

/**
 * Reads a body as it comes, where the platform can, and only as far as it can be JSON: a stream of events, for example, never
 * ends. `onBytes` gets the number of bytes so far. Rejects with `too-large` if it is too long.
 */
async function readText(
  response: Response,
  limit: SilenceLimit,
  onBytes?: (bytes: number) => void,
  mostBytes = MOST_BYTES,
): Promise<string> {
  const { body } = response;
  if (typeof body?.getReader !== 'function') {
    limit.wait(WHOLE_BODY_MILLISECONDS);
    // An app's own fetch may give anything.
    const text: unknown = await limit.race(response.text());
    return String(text);
  }
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  let awaited = 0;
  for (;;) {
    if (bytes >= awaited) {
      awaited = bytes + LEAST_BYTES;
      limit.wait(SILENCE_MILLISECONDS);
    }
    const { done, value } = await limit.race(reader.read());
    if (done) return text + decoder.decode();
    const part = decoder.decode(value, { stream: true });
    // Looked at once: a test of the text so far would copy it with each part.
    const isBeginning = text === '';
    text += isBeginning ? part.trimStart() : part;
    bytes += value.byteLength;
    onBytes?.(bytes);
    if (bytes > mostBytes || (isBeginning && /^[^[{]/.test(text))) {
      reader.cancel().catch(() => undefined);
      if (bytes <= mostBytes) return text;
      throw new TinyBasePartyKitError('too-large', TOO_LARGE_MESSAGE);
    }
  }
}

/** Removes the query, because it may hold a token, which no message may show. */
function withoutQuery(url: string): string {
  return url.split('?', 1)[0] ?? url;
}

/** Resolves to the room's own error. Resolves to undefined, or rejects, if something else has answered. */
async function errorIn(
  response: Response,
  limit: SilenceLimit,
): Promise<errorMessage.ErrorMessage | undefined> {
  // It has the rest of the time for the answer.
  const atOnce = { ...limit, wait: () => undefined };
  const text = await readText(response.clone(), atOnce, undefined, MOST_ERROR_BYTES).catch(
    (cause: unknown) => {
      response.body?.cancel().catch(() => undefined);
      throw cause;
    },
  );
  const error = errorMessage.decode(text);
  return ERRORS[error.code].httpStatus === response.status ? error : undefined;
}
