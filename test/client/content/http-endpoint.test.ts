import { describe, expect, test } from 'vitest';

import { createHttpEndpoint, type HttpOptions } from '../../../src/client/content/http-endpoint.ts';
import type { SessionEndpoint } from '../../../src/client/session/session-ports.ts';
import { encodeLoadedContent } from '../../../src/protocol/codec.ts';
import { contentOf, ManualTime, SECOND } from '../session/scripted-room.ts';

const KIBIBYTE = 1024;
const CONTENT = encodeLoadedContent({ epoch: 'e', version: 1 }, '[{},{"v":"\u{1F415}"}]');

interface Request {
  readonly url: string;
  readonly init: RequestInit;
}

const urlOfStore = (): Promise<string> => Promise.resolve('https://host.test/store?token=t');

/** An endpoint whose requests are answered so. */
function answered(
  answer: (request: Request) => Response | Promise<Response>,
  options: HttpOptions = {},
): { readonly endpoint: SessionEndpoint; readonly time: ManualTime; readonly requests: Request[] } {
  const time = new ManualTime();
  const requests: Request[] = [];
  const ownFetch = async (url: unknown, init: RequestInit = {}): Promise<Response> => {
    const request = { url: String(url), init };
    requests.push(request);
    return await answer(request);
  };
  const endpoint = createHttpEndpoint(urlOfStore, time.after, { fetch: ownFetch, ...options });
  return { endpoint, time, requests };
}

/** A body that comes as the test says. */
class SlowBody {
  readonly stream: ReadableStream<Uint8Array>;
  isCancelled = false;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor() {
    this.stream = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.isCancelled = true;
      },
    });
  }

  send(bytes: Uint8Array): void {
    this.#controller?.enqueue(bytes);
  }

  end(): void {
    this.#controller?.close();
  }
}

/** A body of blanks behind that text. It comes as fast as it is read, and ends after 300 MiB. Counts the bytes that were read. */
function hugeBody(
  beginning: string,
  cancel?: () => void,
): {
  readonly stream: ReadableStream<Uint8Array>;
  readonly read: () => number;
} {
  const blanks = new Uint8Array(KIBIBYTE * KIBIBYTE).fill(0x20);
  let read = 0;
  const stream = new ReadableStream<Uint8Array>(
    {
      start: (controller) => controller.enqueue(new TextEncoder().encode(beginning)),
      pull: (controller) => {
        read += blanks.length;
        controller.enqueue(blanks);
        if (read > 300 * blanks.length) controller.close();
      },
      ...(cancel && { cancel }),
    },
    { highWaterMark: 0 },
  );
  return { stream, read: () => read };
}

/** An answer with a body, also with a status that allows none: an app's own fetch may give anything. */
function withBody(status: number, body: ReadableStream<Uint8Array>): Response {
  return Object.defineProperty(new Response(body), 'status', { value: status });
}

describe('GET', () => {
  test('[JOIN-1] asks for the cursor, and rests on no header', async () => {
    for (const headers of [{}, { ETag: '"e.1-gzip"' }, { ETag: 'W/"other.7"' }]) {
      const { endpoint, requests } = answered(() => new Response(CONTENT, { headers }));
      expect((await endpoint.get()).cursor).toEqual({ epoch: 'e', version: 1 });
      expect(requests[0]?.url).toBe('https://host.test/store?token=t&cursor');
    }
  });

  test('[JOIN-10] has a URL of its own where caches are not to be trusted', async () => {
    const { endpoint, requests } = answered(() => new Response(CONTENT));
    await endpoint.get('once');
    expect(requests[0]?.url).toBe('https://host.test/store?token=t&cursor&unique=once');
  });

  test.each([
    ['ends early', (body: string) => body.slice(0, -8), 200],
    ['ends right after its beginning', (body: string) => body.slice(0, 14), 200],
    ['comes twice', (body: string) => body + body, 200],
    ['has an advertisement at its end', (body: string) => `${body}<script></script>`, 200],
    ['is a part of it', (body: string) => body.slice(0, 20), 206],
    ['is missing', () => null, 204],
    ['was reset', () => null, 205],
  ] as const)('[HTTP-7] is requested again if its body %s', async (_what, change, status) => {
    const { endpoint } = answered(() => new Response(change(CONTENT), { status }));
    await expect(endpoint.get()).rejects.toMatchObject({ code: 'network' });
  });

  test('[HTTP-7] is taken if a proxy says that it looked at it', async () => {
    const { endpoint } = answered(() => new Response(CONTENT, { status: 203 }));
    expect((await endpoint.get()).cursor).toEqual({ epoch: 'e', version: 1 });
  });

  test('[HTTP-8] may take as long as it likes, as long as something comes, and tells how far it is', async () => {
    const body = new SlowBody();
    const { endpoint, time } = answered(() => new Response(body.stream));
    const heard: number[] = [];
    const loading = endpoint.get(undefined, (bytes) => heard.push(bytes));
    const bytes = new TextEncoder().encode(
      encodeLoadedContent(
        { epoch: 'e', version: 1 },
        JSON.stringify([{}, { v: '\u{1F415}'.repeat(20 * KIBIBYTE) }]),
      ),
    );
    const ends: number[] = [];
    for (let at = 0; at < bytes.length; at += KIBIBYTE + 1) {
      await time.pass(29 * SECOND);
      const part = bytes.slice(at, at + KIBIBYTE + 1);
      body.send(part);
      ends.push(at + part.length);
    }
    body.end();
    const { content } = await loading;
    expect(content).toEqual(contentOf([{}, { v: '\u{1F415}'.repeat(20 * KIBIBYTE) }]));
    expect(heard).toEqual(ends);
    expect(time.waiting).toBe(0);
  });

  test('[HTTP-8] ends if less than 1 KiB comes in 30 seconds', async () => {
    const body = new SlowBody();
    const { endpoint, time } = answered(() => new Response(body.stream));
    const failed = expect(endpoint.get()).rejects.toMatchObject({ code: 'network' });
    const bytes = new TextEncoder().encode(CONTENT);
    for (let second = 0; second < 30; second += 1) {
      body.send(bytes.slice(second, second + 1));
      await time.pass(SECOND);
    }
    await failed;
    expect(time.waiting).toBe(0);
  });

  test.each(['', '{"cursor":['])(
    '[HTTP-8] stops the client if it is over 256 MiB, so that it fills no memory, and begins with "%s"',
    async (beginning) => {
      const { stream, read } = hugeBody(beginning);
      const { endpoint, requests } = answered(() => new Response(stream));
      const error = { code: 'too-large', isRetryable: false };
      await expect(endpoint.get()).rejects.toMatchObject(error);
      expect(requests).toHaveLength(1);
      expect(read() / KIBIBYTE ** 2).toBeLessThan(260);
    },
  );

  test.each([
    ['before the answer', (): Promise<Response> => new Promise(() => undefined)],
    ['in the middle of it', () => new Response(new SlowBody().stream)],
  ])(
    '[HTTP-8] ends after 30 seconds of silence %s, though fetch heeds no signal',
    async (_when, answer) => {
      const { endpoint, time, requests } = answered(answer);
      const failed = expect(endpoint.get()).rejects.toMatchObject({ code: 'network' });
      await time.pass(29 * SECOND);
      expect(requests[0]?.init.signal?.aborted).toBe(false);
      await time.pass(SECOND);
      await failed;
      expect(requests[0]?.init.signal?.aborted).toBe(true);
    },
  );

  test('[HTTP-8] ends at once if what comes is no content, such as a stream of events', async () => {
    const body = new SlowBody();
    const { endpoint } = answered(() => new Response(body.stream));
    body.send(new TextEncoder().encode(' \n'));
    body.send(new TextEncoder().encode('\n: ping'));
    await expect(endpoint.get()).rejects.toThrow(
      'The answer to GET has no content of a room. Check host, proxy and storePath. If your room',
    );
    expect(body.isCancelled).toBe(true);
  });

  test('reads content behind blanks, in however many parts it comes', async () => {
    const parts = ['\n ', ' ', CONTENT.slice(0, 1), CONTENT.slice(1)].map((part) =>
      new TextEncoder().encode(part),
    );
    const stream = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        const part = parts.shift();
        if (part === undefined) controller.close();
        else controller.enqueue(part);
      },
    });
    const { endpoint } = answered(() => new Response(stream));
    expect((await endpoint.get()).cursor?.version).toBe(1);
  });

  test.each([204, 207])(
    '[HTTP-8] does not wait for the body of an answer with %i, which is of no use',
    async (status) => {
      const { endpoint } = answered(() => withBody(status, new SlowBody().stream));
      await expect(endpoint.get()).rejects.toMatchObject({ code: 'network' });
    },
  );

  test('works where a body is no stream', async () => {
    const response = new Response(CONTENT);
    Object.defineProperty(response, 'body', { value: undefined });
    const { endpoint } = answered(() => response);
    expect((await endpoint.get()).cursor?.version).toBe(1);
  });
});

/** An error as a room answers with. */
const errorAnswer = (status: number, code: string): Response =>
  Response.json({ code, message: 'm' }, { status });

test.each([
  [401, 'unauthorized'],
  [403, 'forbidden'],
  [404, 'not-found'],
  [503, 'unavailable'],
  [413, 'network'],
  [400, 'network'],
  [500, 'network'],
])('GET answered by an app or proxy with %i is the error: %s', async (status, code) => {
  const { endpoint } = answered(() => new Response('', { status }));
  await expect(endpoint.get()).rejects.toMatchObject({ code });
});

test.each([
  [401, 'unauthorized', ': The room says why.'],
  [403, 'forbidden', ': The room says why.'],
  [404, 'not-found', ': The room says why.'],
  [403, 'unauthorized', '.'],
])('an error of the room with %i and %s says why: "%s"', async (status, code, end) => {
  const { endpoint } = answered(() =>
    Response.json({ code, message: 'The room says why.' }, { status }),
  );
  await expect(endpoint.get()).rejects.toThrow(
    `GET https://host.test/store was answered with ${status}${end}`,
  );
  if (end === '.') await expect(endpoint.get()).rejects.not.toThrow('says why');
  // What to check is in the sentence of the room.
  await expect(endpoint.get()).rejects.not.toThrow('Check storePath');
});

test.each([
  [404, 'Check storePath, party and room.'],
  [500, "Check the server's log."],
])('a %i of something that is not a room says what to check', async (status, hint) => {
  const { endpoint } = answered(() => new Response('An error', { status }));
  await expect(endpoint.get()).rejects.toThrow(`was answered with ${status}. ${hint}`);
});

test('no answer leads to a hint at the server, the party, CORS and https', async () => {
  const { endpoint } = answered(() => {
    throw new TypeError('Failed to fetch');
  });
  await expect(endpoint.get()).rejects.toThrow(
    'GET https://host.test/store had no answer. Is the server running? Does it have this party? May this page reach it (CORS, https)?',
  );
});

test.each([
  [new Error('No token: 500'), "GET was not sent: the socket's query failed. No token: 500"],
  [
    500,
    "GET was not sent: the socket's query failed. What it threw is no Error: see the cause of this one.",
  ],
])('an error says why the query of the socket failed: %s', async (cause, message) => {
  const { after } = new ManualTime();
  const endpoint = createHttpEndpoint(async () => await Promise.reject(cause), after, {});
  await expect(endpoint.get()).rejects.toMatchObject({ code: 'network', message, cause });
});

test('[FRAME-6] an error has a bounded part of what the room says', async () => {
  const { endpoint } = answered(() =>
    Response.json({ code: 'forbidden', message: 'm'.repeat(1_000_000) }, { status: 403 }),
  );
  const error: unknown = await endpoint.put(contentOf([{}, {}])).catch((thrown: unknown) => thrown);
  expect(String(error).length).toBeLessThan(3000);
});

test('[HTTP-8] of an error, as much of the body is read as a room may have said, and the rest is cancelled', async () => {
  let isCancelled = false;
  const { stream, read } = hugeBody('{"code":"failed","message":"', () => (isCancelled = true));
  const { endpoint } = answered(() => new Response(stream, { status: 500 }));
  await expect(endpoint.get()).rejects.toMatchObject({ code: 'network' });
  expect(read() / KIBIBYTE ** 2).toBeLessThan(8);
  expect(isCancelled).toBe(true);
});

test('[HTTP-8] an error whose body trickles is told after 30 s', async () => {
  const body = new SlowBody();
  const { endpoint, time } = answered(() => new Response(body.stream, { status: 500 }));
  const failed = expect(endpoint.get()).rejects.toMatchObject({ code: 'network' });
  for (let second = 0; second < 30; second += 1) {
    body.send(new TextEncoder().encode('{'.padEnd(2 * KIBIBYTE)));
    await time.pass(SECOND);
  }
  await failed;
});

test('[HTTP-8] an error whose body never ends is told after a silence', async () => {
  const { endpoint, time } = answered(() => new Response(new SlowBody().stream, { status: 500 }));
  const failed = expect(endpoint.get()).rejects.toMatchObject({ code: 'network' });
  await time.pass(30 * SECOND);
  await failed;
});

describe('PUT', () => {
  const content = contentOf([{}, { v: 1 }]);

  test.each([
    ['a handler of the app that answers everything', () => new Response('ok')],
    ['a page to sign in', () => new Response('<!doctype html>', { status: 200 })],
    ['an answer without content', () => new Response(null, { status: 204 })],
    ['a redirection', () => new Response(null, { status: 302 })],
    ['a method that is not allowed', () => new Response(null, { status: 405 })],
    ['an error that stays', () => new Response(null, { status: 500 })],
    ['a firewall', () => new Response('Forbidden', { status: 403 })],
    ['a proxy that wants to know who asks', () => new Response('', { status: 401 })],
    ['a limit of a proxy', () => new Response('<h1>Too large</h1>', { status: 413 })],
    ['a server that is being deployed', () => new Response('', { status: 503 })],
    ['a body of another error', () => errorAnswer(413, 'forbidden')],
    ['an error that CORS hides', () => Promise.reject(new TypeError('Failed to fetch'))],
  ])(
    '[SEED-8] counts for taken only if it is answered as documented, and not by %s',
    async (_what, answer) => {
      const { endpoint } = answered(answer);
      await expect(endpoint.put(content)).rejects.toMatchObject({ code: 'network' });
    },
  );

  test('[SEED-8] is told of a handler that answers for the room', async () => {
    const { endpoint } = answered(() => new Response('ok'));
    await expect(endpoint.put(content)).rejects.toThrow('return super.onRequest(request)');
  });

  test.each([
    [400, 'malformed'],
    [413, 'too-large'],
    [403, 'forbidden'],
    [401, 'unauthorized'],
    [401, 'expired'],
    [503, 'unavailable'],
  ])('[SEED-8] answered by the room with %i is the error: %s', async (status, code) => {
    const { endpoint } = answered(() => errorAnswer(status, code));
    await expect(endpoint.put(content)).rejects.toMatchObject({ code });
  });

  test.each([
    ['that gives the initial content', 201, undefined],
    ['that keeps the content', 205, undefined],
    ['that no room gives', 200, { code: 'network' }],
    ['that no room gives, later', 202, { code: 'network' }],
  ])('[HTTP-8] an answer %s ends, though its body never does', async (_what, status, error) => {
    const { endpoint, time } = answered(() => withBody(status, new SlowBody().stream));
    const outcome = endpoint.put(content).catch((thrown: unknown) => thrown);
    let isSettled = false;
    void outcome.then(() => {
      isSettled = true;
    });
    // Nobody needs a body that can tell nothing.
    await time.pass(0);
    expect(isSettled).toBe(status !== 201);
    await time.pass(30 * SECOND);
    if (error === undefined) expect(await outcome).toBeUndefined();
    else expect(await outcome).toMatchObject(error);
    expect(time.waiting).toBe(0);
  });

  test('[HTTP-8] reads a correction as it comes, as long as something comes', async () => {
    const body = new SlowBody();
    const { endpoint, time } = answered(() => new Response(body.stream, { status: 201 }));
    const given = endpoint.put(content);
    const answer = '{"cursor":["e",1]}'.padStart(20 * KIBIBYTE);
    for (let at = 0; at < answer.length; at += KIBIBYTE) {
      await time.pass(29 * SECOND);
      body.send(new TextEncoder().encode(answer.slice(at, at + KIBIBYTE)));
    }
    body.end();
    expect(await given).toEqual({ cursor: { epoch: 'e', version: 1 } });
  });

  test('[HTTP-8] may take longer, the larger it is', async () => {
    const { endpoint, time } = answered(() => new Promise(() => undefined));
    const failed = expect(
      endpoint.put(contentOf([{}, { v: 'x'.repeat(1_000_000) }])),
    ).rejects.toMatchObject({ code: 'network' });
    await time.pass(250 * SECOND);
    expect(time.waiting).toBe(1);
    await time.pass(100 * SECOND);
    await failed;
  });
});

test('requests carry the credentials of the config, and none unless it says so', async () => {
  for (const options of [{}, { credentials: 'include' }] as const) {
    const { endpoint, requests } = answered(() => new Response(CONTENT), options);
    await endpoint.get();
    const init = requests[0]?.init ?? {};
    expect('credentials' in init ? init.credentials : undefined).toBe(
      'credentials' in options ? options.credentials : undefined,
    );
  }
});
