import { decodeLoadedContent, decodeSeedCorrection, encodeContent } from '../../protocol/codec.ts';
import { TinyBasePartyKitError, type ErrorCode } from '../../protocol/errors.ts';
import * as errorMessage from '../../protocol/messages/error.ts';
import type { SessionEndpoint } from '../session/session-ports.ts';

/** The time that one request may take. */
const REQUEST_MILLISECONDS = 120_000;

/** The status of a PUT that gave the room its initial content. */
const CREATED = 201;

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'malformed',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not-found',
  409: 'stale',
  413: 'too-large',
  426: 'protocol',
  429: 'overloaded',
  503: 'unavailable',
};

/**
 * Creates the client of the room's `/store`, with `fetch`. Calls `url` before every request, so that it can carry a fresh
 * token. Rejects with a typed error unless the answer is a success; its `cause` is the unread Response, if there was one.
 */
export function createHttpEndpoint(url: () => Promise<string>): SessionEndpoint {
  const request = async (
    method: string,
    body: string | undefined,
    parameter?: string,
  ): Promise<Response> => {
    const address = await url().catch((cause: unknown) => {
      if (cause instanceof TinyBasePartyKitError) throw cause;
      const message = `${method} was not sent: could not get the socket's query parameters. Check the option query of the PartySocket.`;
      throw new TinyBasePartyKitError('network', message, { cause });
    });
    const joint = address.includes('?') ? '&' : '?';
    const target = parameter === undefined ? address : address + joint + parameter;
    let response: Response;
    try {
      response = await fetch(target, {
        method,
        ...(body === undefined ? {} : { body }),
        mode: 'cors',
        cache: 'no-store',
        signal: AbortSignal.timeout(REQUEST_MILLISECONDS),
      });
    } catch (cause) {
      const message = `${method} ${withoutQuery(target)} had no answer. Is the server running, and may this page reach it?`;
      throw new TinyBasePartyKitError('network', message, { cause });
    }
    if (!response.ok) {
      const code =
        (response.status === 401 ? await codeIn(response) : undefined) ??
        CODES[response.status] ??
        'network';
      const hint =
        code === 'not-found'
          ? ' Check storePath, party and room: they must be those of the server.'
          : '';
      const message = `${method} ${withoutQuery(target)} was answered with ${response.status}.${hint}`;
      throw new TinyBasePartyKitError(code, message, { cause: response });
    }
    return response;
  };
  return {
    get: async () => {
      const response = await request('GET', undefined, 'cursor');
      const text = await response.text().catch((cause: unknown) => {
        throw new TinyBasePartyKitError(
          'network',
          'The answer to GET broke off: the client requests it again.',
          { cause },
        );
      });
      try {
        return decodeLoadedContent(text);
      } catch (cause) {
        // The room itself sent this content, so another request would get the same.
        if (text.startsWith('{"cursor":[')) throw cause;
        // Another server may have answered, such as the login page of a network.
        const message =
          'The answer to GET has no content of a room. Check storePath, and what answers in the place of the room. ' +
          'If your room overrides onRequest, return super.onRequest(request) for all requests that it does not answer.';
        throw new TinyBasePartyKitError('network', message, { cause });
      }
    },
    put: async (content) => {
      const response = await request('PUT', encodeContent(content));
      if (response.status !== CREATED) return undefined;
      try {
        return decodeSeedCorrection(await response.text());
      } catch {
        // An empty body means that nothing was refused. After an unreadable one, the next GET brings the content.
        return undefined;
      }
    },
  };
}

/** Removes the query, because it may hold a token, which no message may show. */
function withoutQuery(url: string): string {
  return url.split('?', 1)[0] ?? url;
}

/** Returns the room's own code. The status does not tell an expired token from a refused one. */
async function codeIn(response: Response): Promise<ErrorCode | undefined> {
  try {
    return errorMessage.decode(await response.clone().text()).code;
  } catch {
    return undefined;
  }
}
