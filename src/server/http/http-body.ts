import type { WaitingBody } from '../room/waiting-bodies.ts';

/** The part of a request's body that is used: a web stream of bytes. */
export interface HttpBody {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: unknown }>;
    cancel(reason?: unknown): Promise<unknown>;
  };
}

/** A body that is too large is read up to this multiple of the limit: few clients get an answer before they have sent all. */
const MOST_DROPPED = 16;

/**
 * Reads a body as UTF-8. Returns undefined if it has more than `limit` bytes; never holds more than these. Rejects with
 * `overloaded` if the room holds too much, or if the body came so slowly that it was cut off, and with `unavailable` if it is
 * silent for too long.
 */
export async function readBody(
  body: HttpBody | null,
  limit: number,
  waiting: WaitingBody | undefined,
): Promise<string | undefined> {
  if (body === null) return '';
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let length = 0;
  for (;;) {
    const { done, value } = await readPart(reader, waiting);
    if (done) return length > limit ? undefined : text + decoder.decode();
    if (!(value instanceof Uint8Array))
      throw new TypeError(
        'The body of the request is not a stream of bytes: pass the request as the host made it.',
      );
    length += value.byteLength;
    waiting?.noteBytes(value.byteLength);
    if (length > limit * MOST_DROPPED) {
      await reader.cancel();
      return undefined;
    }
    if (length > limit) text = '';
    else {
      waiting?.holdBytes(value.byteLength);
      text += decoder.decode(value, { stream: true });
    }
  }
}

type BodyReader = ReturnType<HttpBody['getReader']>;

async function readPart(
  reader: BodyReader,
  waiting: WaitingBody | undefined,
): ReturnType<BodyReader['read']> {
  if (waiting === undefined) return await reader.read();
  let stop: (() => void) | undefined;
  const silence = new Promise<never>((_resolve, reject) => {
    stop = waiting.whileReading(reject);
  });
  try {
    return await Promise.race([reader.read(), silence]);
  } catch (error) {
    void reader.cancel().catch(() => undefined);
    throw error;
  } finally {
    stop?.();
  }
}
