import {
  decodeContent,
  decodeETag,
  decodeSeedCorrection,
  encodeContent,
} from '../../protocol/codec.ts';
import { TinyBasePartyKitError, type ErrorCode } from '../../protocol/errors.ts';
import type { SessionEndpoint } from '../session/session-ports.ts';

/** How long one request may take. */
const REQUEST_MILLISECONDS = 120_000;

/** The room has its first content now. */
const CREATED = 201;

const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'malformed',
  404: 'not-found',
  409: 'stale',
  413: 'too-large',
  426: 'protocol',
  429: 'overloaded',
  503: 'unavailable',
};

/**
 * The room's `/store` by `fetch`. `url` is asked before every request, so that it can carry a fresh token.
 * What is not a success rejects with a typed error, whose `cause` is the Response, unread, if there was one.
 */
export function createHttpEndpoint(url: () => Promise<string>): SessionEndpoint {
  const request = async (method: string, body: string | undefined): Promise<Response> => {
    const target = await url().catch((cause: unknown) => {
      const message = `${method} was not sent: the query of the socket could not be had.`;
      throw new TinyBasePartyKitError('network', message, { cause });
    });
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
      const code = CODES[response.status] ?? 'network';
      const hint = code === 'not-found' ? ' Do storePath, party and room match the server?' : '';
      const message = `${method} ${withoutQuery(target)} was answered with ${response.status}.${hint}`;
      throw new TinyBasePartyKitError(code, message, { cause: response });
    }
    return response;
  };
  return {
    get: async () => {
      const response = await request('GET', undefined);
      const cursor = decodeETag(response.headers.get('ETag'));
      const text = await response.text().catch((cause: unknown) => {
        throw new TinyBasePartyKitError('network', 'The answer to GET broke off.', { cause });
      });
      try {
        return { cursor, content: decodeContent(text) };
      } catch (cause) {
        if (cursor !== undefined) throw cause;
        // Whatever stands between may answer anything: a page to sign in to a network, for one.
        const message = 'The answer to GET is not from a room: it has no content.';
        throw new TinyBasePartyKitError('network', message, { cause });
      }
    },
    put: async (content) => {
      const response = await request('PUT', encodeContent(content));
      if (response.status !== CREATED) return undefined;
      try {
        return decodeSeedCorrection(await response.text());
      } catch {
        // Empty: nothing was refused. Whatever else it may be, the content was taken, and the next GET brings it.
        return undefined;
      }
    },
    post: async (body) => {
      await request('POST', body);
    },
  };
}

/** A query may hold a token, which belongs in no message. */
function withoutQuery(url: string): string {
  return url.split('?', 1)[0] ?? url;
}
