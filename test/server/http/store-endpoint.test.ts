import type { Store } from 'tinybase';
import { describe, expect, test, vi } from 'vitest';

import { TinyBasePartyKitError } from '../../../src/protocol/errors.ts';
import type { StoreEndpointOptions } from '../../../src/server/http/store-endpoint.ts';
import {
  answerStoreRequest,
  DEFAULT_RESPONSE_HEADERS,
} from '../../../src/server/http/store-endpoint.ts';
import { Deferred } from '../../support/deferred.ts';
import { FakeRoomHost, settle } from '../../support/fake-connection.ts';
import { StrictStorage } from '../../support/strict-storage.ts';
import { entriesOf, type Written } from '../../support/written.ts';

const URL_OF_STORE = 'http://example.com/parties/main/room/store';

/** A room with its endpoint. */
class Site {
  readonly host: FakeRoomHost;
  readonly errors: unknown[] = [];
  readonly #options: Partial<StoreEndpointOptions>;

  constructor(
    host: FakeRoomHost = new FakeRoomHost(),
    options: Partial<StoreEndpointOptions> = {},
  ) {
    this.host = host;
    this.#options = options;
  }

  async ask(method: string, init: RequestInit = {}, url: string = URL_OF_STORE): Promise<Response> {
    return await answerStoreRequest(this.host.room, new Request(url, { method, ...init }), {
      storePath: '/store',
      responseHeaders: DEFAULT_RESPONSE_HEADERS,
      onError: (error) => this.errors.push(error),
      ...this.#options,
    });
  }

  async seed(): Promise<this> {
    await this.host.seed({ pets: { fido: { species: 'dog', tags: '\uFFFD[1]' } }, open: true });
    return this;
  }
}

test('[HTTP-1] GET of a room without a Store gives an empty body, and its ETag', async () => {
  const response = await new Site().ask('GET');
  expect([response.status, await response.text(), response.headers.get('ETag')]).toEqual([
    200,
    '',
    '"epoch1.0"',
  ]);
});

test('[HTTP-1] GET gives the content as TinyBase writes it, never to be cached', async () => {
  const site = await new Site().seed();
  const response = await site.ask('GET');
  expect(await response.json()).toEqual([
    { pets: { fido: { species: 'dog', tags: '\uFFFD[1]' } } },
    { open: true },
  ]);
  expect(Object.fromEntries(response.headers)).toEqual({
    'access-control-allow-headers': '*',
    'access-control-allow-methods': '*',
    'access-control-allow-origin': '*',
    'access-control-expose-headers': 'ETag',
    'cache-control': 'no-store',
    'content-type': 'text/plain;charset=UTF-8',
    etag: '"epoch1.1"',
  });
});

test.each(['"epoch1.1"', 'W/"epoch1.1"', '"other", W/"epoch1.1"', '*'])(
  '[HTTP-1] answers 304 to a matching If-None-Match: %s',
  async (ifNoneMatch) => {
    const site = await new Site().seed();
    const headers = { 'If-None-Match': ifNoneMatch };
    const response = await site.ask('GET', { headers });
    expect([response.status, await response.text(), response.headers.get('ETag')]).toEqual([
      304,
      '',
      '"epoch1.1"',
    ]);
    site.host.room.store.setValue('open', false);
    if (ifNoneMatch !== '*') expect((await site.ask('GET', { headers })).status).toBe(200);
  },
);

test('[HTTP-1] HEAD answers like GET, without a body', async () => {
  const site = await new Site().seed();
  const response = await site.ask('HEAD');
  expect([response.status, await response.text(), response.headers.get('ETag')]).toEqual([
    200,
    '',
    '"epoch1.1"',
  ]);
});

test('[HTTP-2] PUT answers 201 to initial content, and 205 to any other', async () => {
  const site = new Site();
  const first = await site.ask('PUT', {
    body: '[{"pets":{"fido":{"species":"dog"}}},{"open":true}]',
  });
  expect([first.status, await first.text()]).toEqual([201, '']);
  expect((await site.ask('PUT', { body: '[{},{"open":false}]' })).status).toBe(205);
  expect(await site.host.content()).toEqual([
    { pets: { fido: { species: 'dog' } } },
    { open: true },
  ]);
});

test('[SEED-4] PUT answers 201 with what of the content was refused, and why', async () => {
  const site = new Site(
    new FakeRoomHost({ hooks: () => ({ canSetCell: (_table, _row, cell) => cell !== 'locked' }) }),
  );
  const response = await site.ask('PUT', {
    body: '[{"pets":{"fido":{"species":"dog","locked":1}}},{"open":true}]',
  });
  expect([response.status, response.headers.get('Content-Type'), await response.json()]).toEqual([
    201,
    'application/json',
    { correction: [{ pets: { fido: { locked: '\uFFFC' } } }, {}], reason: 'hook' },
  ]);
  expect(await site.host.content()).toEqual([
    { pets: { fido: { species: 'dog' } } },
    { open: true },
  ]);
});

test('[SEED-4] PUT answers 201 with what of the content was altered, and not with what came beside it', async () => {
  const site = new Site(
    new FakeRoomHost({
      prepareStore: (store) => {
        store.setValuesSchema({ open: { type: 'boolean' }, max: { type: 'number', default: 10 } });
      },
    }),
  );
  const response = await site.ask('PUT', { body: '[{},{"open":true,"max":"many"}]' });
  expect([response.status, await response.json()]).toEqual([
    201,
    { correction: [{}, { max: 10 }], reason: 'schema' },
  ]);
  const other = new Site(
    new FakeRoomHost({
      prepareStore: (store) => {
        store.addDidFinishTransactionListener(() => store.setValue('seen', true));
      },
    }),
  );
  const unaltered = await other.ask('PUT', { body: '[{},{"open":true}]' });
  expect([unaltered.status, await unaltered.text()]).toEqual([201, '']);
});

test('[HTTP-9] PUT answers 201 with the cursor, if that is asked for and the room holds just the content', async () => {
  const body = '[{"t":{"r":{"c":1}}},{"open":true}]';
  const site = new Site();
  const response = await site.ask('PUT', { body }, `${URL_OF_STORE}?cursor`);
  expect([response.status, await response.json()]).toEqual([201, { cursor: ['epoch1', 1] }]);
  const again = await site.ask('PUT', { body }, `${URL_OF_STORE}?cursor`);
  expect([again.status, await again.text()]).toEqual([205, '']);
  const unasked = await new Site().ask('PUT', { body });
  expect([unasked.status, await unasked.text()]).toEqual([201, '']);
});

test.each<[string, (store: Store) => unknown]>([
  [
    'a mutator listener has added',
    (store) => store.addTablesListener(() => store.setValue('w', 1), true),
  ],
  ['prepareStore has put there', (store) => store.setCell('t', 'other', 'c', 1)],
  [
    'a default has added',
    (store) =>
      store.setValuesSchema({ open: { type: 'boolean' }, w: { type: 'number', default: 1 } }),
  ],
])('[HTTP-9] PUT answers 201 without the cursor beside what %s', async (_what, prepareStore) => {
  const site = new Site(new FakeRoomHost({ prepareStore: (store) => void prepareStore(store) }));
  const body = '[{"t":{"r":{"c":1}}},{"open":true}]';
  const response = await site.ask('PUT', { body }, `${URL_OF_STORE}?cursor`);
  expect([response.status, await response.text()]).toEqual([201, '']);
});

test('[SEED-4] PUT answers 201 with all of the content, if all of it was refused', async () => {
  const hooks = { canSetValue: () => Promise.reject(new Error('no')) };
  const site = new Site(new FakeRoomHost({ hooks: () => hooks }));
  const response = await site.ask('PUT', { body: '[{"t":{"r":{"c":1}}},{"open":true}]' });
  expect([response.status, await response.json()]).toEqual([
    201,
    { correction: [{ t: { r: { c: '\uFFFC' } } }, { open: '\uFFFC' }], reason: 'failed' },
  ]);
  expect(await site.host.content()).toBeUndefined();
});

test.each([
  '',
  '{',
  'null',
  '[]',
  '[{}]',
  '[{},{},1]',
  '[{},[]]',
  '[{"t":1},{}]',
  '[{"t":{"r":[]}},{}]',
  '[{},{"v":"\uFFFC"}]',
])(
  '[HTTP-2] PUT answers 400 to what is no content, also where there is a Store: %s',
  async (body) => {
    const site = new Site();
    for (let time = 1; time <= 2; time += 1) {
      const response = await site.ask('PUT', { body });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: 'malformed' });
      await site.seed();
    }
    expect((await site.host.cursor()).version).toBe(1);
  },
);

test('[HTTP-2] PUT says what is wrong with its content, and where', async () => {
  const response = await new Site().ask('PUT', { body: '[{"pets":{"fido":"dog"}},{}]' });
  expect(await response.json()).toEqual({
    code: 'malformed',
    message: 'Invalid content: pets/fido must be an object of cells',
  });
});

test('[HTTP-7] GET with the query cursor gives the cursor and the content in one body', async () => {
  const site = new Site();
  const url = 'http://example.com/store?token=1&cursor';
  const empty = await site.ask('GET', {}, url);
  expect([empty.status, await empty.json()]).toEqual([
    200,
    { cursor: ['epoch1', 0], content: null },
  ]);
  await site.seed();
  const full = await site.ask('GET', { headers: { 'If-None-Match': '*' } }, url);
  expect(full.headers.get('Cache-Control')).toBe('no-store, no-transform');
  const plain = await site.ask('GET');
  expect(await full.text()).toBe(`{"cursor":["epoch1",1],"content":${await plain.text()}}`);
});

test('[HTTP-2] PUT answers 413 over the limit, and holds no more than that', async () => {
  const site = new Site(new FakeRoomHost({ limits: () => ({ bodyBytes: 1000 }) }));
  const response = await site.ask('PUT', { body: contentOf('x'.repeat(1000)) });
  expect([response.status, await response.json()]).toMatchObject([413, { code: 'too-large' }]);
  let pulled = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      pulled += 1;
      controller.enqueue(new Uint8Array(1000));
    },
  });
  const init: RequestInit & { duplex: 'half' } = { body: endless, duplex: 'half' };
  expect((await site.ask('PUT', init)).status).toBe(413);
  expect(pulled).toBeLessThan(30);
  expect((await site.ask('PUT', { body: contentOf('é'.repeat(480)) })).status).toBe(201);
});

test('[HTTP-4] answers OPTIONS with 204, and methods that it does not have with 405', async () => {
  const site = new Site();
  const options = await site.ask('OPTIONS');
  expect([options.status, options.headers.get('Allow')]).toEqual([204, 'GET, HEAD, PUT, OPTIONS']);
  expect(options.headers.get('Access-Control-Allow-Methods')).toBe('*');
  const patch = await site.ask('PATCH', { body: '[]' });
  expect([patch.status, patch.headers.get('Allow')]).toEqual([405, 'GET, HEAD, PUT, OPTIONS']);
  expect(patch.headers.get('Cache-Control')).toBe('no-store');
  expect((await site.ask('DELETE')).status).toBe(405);
  expect((await site.ask('POST', { body: '[{},{}]' })).status).toBe(405);
});

test('[HTTP-4] answers other paths with 404, with the headers, and takes any path that ends so', async () => {
  const site = new Site();
  const response = await site.ask('GET', {}, 'http://example.com/parties/main/room/other');
  expect([response.status, await response.json()]).toMatchObject([404, { code: 'not-found' }]);
  expect(response.headers.get('Access-Control-Allow-Origin')).toBe('*');
  // A cache could keep it, and give it to others once the room answers.
  expect(response.headers.get('Cache-Control')).toBe('no-store');
  expect((await site.ask('GET', {}, 'http://example.com/a/b/my/store?token=1')).status).toBe(200);
});

test('[HTTP-4] answers 503 while storage cannot be read', async () => {
  const storage = new StrictStorage();
  const broken = { ...unbound(storage), get: () => Promise.reject(new Error('broken')) };
  const site = new Site(new FakeRoomHost({}, broken));
  for (const method of ['GET', 'HEAD', 'PUT']) {
    const body = method === 'PUT' ? '[{},{}]' : null;
    expect((await site.ask(method, { body })).status).toBe(503);
  }
  expect(site.errors).toEqual([]);
});

test('[HTTP-4] reads the body of a request for another path, also one that somebody has read', async () => {
  const site = new Site();
  let hasEnded = false;
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        hasEnded = true;
        controller.enqueue(new Uint8Array(10));
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  const other = `${URL_OF_STORE}/other`;
  expect((await site.ask('POST', { body, duplex: 'half' } as RequestInit, other)).status).toBe(404);
  expect(hasEnded).toBe(true);
  const request = new Request(other, { method: 'POST', body: 'read' });
  await request.text();
  const { room } = site.host;
  const options = {
    storePath: '/store',
    responseHeaders: {},
    onError: (): void => expect.unreachable(),
  };
  expect((await answerStoreRequest(room, request, options)).status).toBe(404);
});

test('exposes the ETag whatever the configured headers are', async () => {
  for (const [configured, exposed] of [
    [{}, 'ETag'],
    [{ 'access-control-expose-headers': 'X-Mine' }, 'X-Mine, ETag'],
    [{ 'Access-Control-Expose-Headers': 'etag, X-Mine' }, 'etag, X-Mine'],
    [new Headers({ 'Access-Control-Expose-Headers': '*' }), '*, ETag'],
  ] as const) {
    const response = await new Site(new FakeRoomHost(), { responseHeaders: configured }).ask('GET');
    expect(response.headers.get('Access-Control-Expose-Headers')).toBe(exposed);
    expect(response.headers.get('Access-Control-Allow-Origin')).toBeNull();
  }
});

test('a body that breaks off changes nothing, may be sent again, and is no error of the room', async () => {
  const site = new Site();
  expect((await site.ask('PUT', brokenBody())).status).toBe(503);
  expect((await site.ask('PATCH', brokenBody())).status).toBe(405);
  expect(site.errors).toEqual([]);
  expect(await site.host.content()).toBeUndefined();
});

function brokenBody(): RequestInit & { duplex: 'half' } {
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error('gone')),
  });
  return { body, duplex: 'half' };
}

function contentOf(text: string): string {
  return JSON.stringify([{}, { text }]);
}

function unbound(storage: StrictStorage): ConstructorParameters<typeof FakeRoomHost>[1] & object {
  return {
    get: (keys) => storage.get(keys),
    list: (options) => storage.list(options),
    put: (written: Written, value?: unknown) => storage.put(entriesOf(written, value)),
    delete: (keys) => storage.delete(keys),
  };
}

/** A body that comes when the test says so. */
class SlowBody {
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  isCancelled = false;
  readonly init: RequestInit & { duplex: 'half' } = {
    duplex: 'half',
    body: new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.isCancelled = true;
      },
    }),
  };

  send(text: string): void {
    this.#controller?.enqueue(new TextEncoder().encode(text));
  }

  end(): void {
    this.#controller?.close();
  }
}

test('[LIMIT-4] holds so many bodies, and answers more with 429 and when to come again', async () => {
  const site = new Site(new FakeRoomHost({ limits: () => ({ waitingBodies: 3 }) }));
  const bodies = Array.from({ length: 3 }, () => new SlowBody());
  const answers = bodies.map(async ({ init }) => await site.ask('PUT', init));
  await settle();
  const refused = await site.ask('PUT', { body: '[{},{"late":1}]' });
  expect([refused.status, refused.headers.get('Retry-After')]).toEqual([429, '5']);
  expect(await refused.json()).toMatchObject({ code: 'overloaded' });
  expect((await site.ask('GET')).status).toBe(200);
  for (const body of bodies) {
    body.send('[{},{"a":1}]');
    body.end();
  }
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([201, 205, 205]);
  expect((await site.ask('PUT', { body: '[{},{}]' })).status).toBe(205);
});

test('[LIMIT-4] holds so many bytes of all bodies together, also while hooks are asked', async () => {
  const answer = new Deferred<boolean>();
  const hooks = { canSetValue: async () => await answer.promise };
  const limits = { waitingBodyBytes: 1_500 };
  const site = new Site(new FakeRoomHost({ limits: () => limits, hooks: () => hooks }));
  const body = JSON.stringify([{}, { a: 'x'.repeat(1_000) }]);
  const first = site.ask('PUT', { body });
  await settle();
  expect((await site.ask('PUT', { body })).status).toBe(429);
  answer.resolve(true);
  expect((await first).status).toBe(201);
  expect((await site.ask('PUT', { body })).status).toBe(205);
});

test('[LIMIT-4] drops a body that is silent, and not one that is slow', async () => {
  const site = new Site(new FakeRoomHost({ limits: () => ({ waitingBodies: 1 }) }));
  const silent = new SlowBody();
  const dropped = site.ask('PUT', silent.init);
  silent.send('[{},');
  await settle();
  await site.host.pass(30_000);
  expect((await dropped).status).toBe(503);
  expect(silent.isCancelled).toBe(true);
  const slow = new SlowBody();
  const taken = site.ask('PUT', slow.init);
  for (const character of '[{},{"a":1}]') {
    slow.send(character);
    await settle();
    await site.host.pass(29_000);
  }
  slow.end();
  expect((await taken).status).toBe(201);
});

test('[LIMIT-4] bodies that send nothing, or drop by drop, are cut off for newer ones', async () => {
  const site = new Site(new FakeRoomHost({ limits: () => ({ waitingBodies: 3 }) }));
  const [silent, dripping, steady] = [new SlowBody(), new SlowBody(), new SlowBody()];
  const answers = [silent, dripping, steady].map(({ init }) => site.ask('PUT', init));
  const quick = async (): Promise<number> =>
    (await site.ask('PUT', { body: '[{},{"q":1}]' })).status;
  await settle();
  // All of them are new.
  expect(await quick()).toBe(429);
  const text = 'x'.repeat(400);
  steady.send('[{},{"steady":"');
  for (let time = 0; time < 20; time += 1) {
    dripping.send('[');
    steady.send(text);
    await settle();
    await site.host.pass(100);
  }
  expect(await quick()).toBe(201);
  expect(silent.isCancelled).toBe(true);
  expect(dripping.isCancelled).toBe(false);
  const next = new SlowBody();
  answers.push(site.ask('PUT', next.init));
  await settle();
  expect(await quick()).toBe(205);
  expect([dripping.isCancelled, steady.isCancelled, next.isCancelled]).toEqual([
    true,
    false,
    false,
  ]);
  steady.send('"}]');
  for (const body of [steady, next]) body.end();
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  expect(statuses).toEqual([429, 429, 205, 400]);
});

test('[LIMIT-4] a body that stands still keeps out no others with the bytes that it holds', async () => {
  const site = new Site(new FakeRoomHost({ limits: () => ({ waitingBodyBytes: 1_000 }) }));
  const still = new SlowBody();
  const cut = site.ask('PUT', still.init);
  still.send('x'.repeat(900));
  await settle();
  const body = `[{},{"a":"${'x'.repeat(400)}"}]`;
  expect((await site.ask('PUT', { body })).status).toBe(429);
  await site.host.pass(1_000);
  expect((await site.ask('PUT', { body })).status).toBe(201);
  expect((await cut).status).toBe(429);
});

test('[LIMIT-4] a body whose content is being decided is not cut off', async () => {
  const answer = new Deferred<boolean>();
  const hooks = { canSetValue: async () => await answer.promise };
  const site = new Site(
    new FakeRoomHost({ limits: () => ({ waitingBodies: 1 }), hooks: () => hooks }),
  );
  const first = site.ask('PUT', { body: '[{},{"a":1}]' });
  await settle();
  await site.host.pass(5_000);
  expect((await site.ask('PUT', { body: '[{},{"b":1}]' })).status).toBe(429);
  answer.resolve(true);
  expect((await first).status).toBe(201);
});

test('[LIMIT-7] of fifty who open a new room together none is turned away, and few contents are decoded at once', async () => {
  const answer = new Deferred<boolean>();
  let asked = 0;
  const canSetValue = async (): Promise<boolean> => {
    asked += 1;
    return await answer.promise;
  };
  const site = new Site(new FakeRoomHost({ hooks: () => ({ canSetValue }) }));
  const answers = Array.from({ length: 50 }, async (_, index) =>
    site.ask('PUT', { body: contentOf(`${index} ${'x'.repeat(100_000)}`) }),
  );
  await settle();
  expect(asked).toBe(8);
  answer.resolve(true);
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  expect(statuses.toSorted((one, other) => one - other)).toEqual([
    201,
    ...Array.from({ length: 49 }, () => 205),
  ]);
  // Of the others, none is decided.
  expect(asked).toBe(8);
});

test.each(['', ' ', '\n\t\r '])(
  '[LIMIT-1] refuses a content with too many ids before it is parsed, with %j before each colon',
  async (blank) => {
    const site = new Site(new FakeRoomHost({ limits: () => ({ contentBytes: 10_000 }) }));
    await site.host.seed({ v: 1 });
    const cells = Array.from({ length: 3_000 }, (_, index) => `"${index}\\": :"${blank}:1`);
    // It is no JSON at its end, which nobody comes to.
    const { status } = await site.ask('PUT', { body: `[{"t":{"r":{${cells.join(',')}` });
    expect(status).toBe(413);
  },
);

test.each([
  ['arrays', '[],'] as const,
  ['objects', '{},'] as const,
  ['arrays in a text', '[[[],'] as const,
])('[LIMIT-1] refuses a content with too many %s before it is parsed', async (_what, text) => {
  const site = new Site(new FakeRoomHost({ limits: () => ({ contentBytes: 100_000 }) }));
  await site.host.seed({ v: 1 });
  const { status } = await site.ask('PUT', { body: `[{"t":{"r":{"c":"${text.repeat(3_000)}` });
  expect(status).toBe(413);
  // As many as the room may hold are parsed, and found to be no JSON.
  const few = await site.ask('PUT', { body: `[{"t":{"r":{"c":"${text.repeat(900)}` });
  expect(few.status).toBe(400);
});

test('[LIMIT-7] a content that is refused or cannot be read makes space for the next one', async () => {
  const site = new Site(new FakeRoomHost({ hooks: () => ({ canSetValue: () => false }) }));
  const bodies = Array.from({ length: 30 }, (_, index) => (index % 2 === 0 ? '[' : '[{},{"a":1}]'));
  const answers = await Promise.all(bodies.map((body) => site.ask('PUT', { body })));
  expect(answers.map(({ status }) => status)).toEqual(
    bodies.map((body) => (body === '[' ? 400 : 201)),
  );
});

/** A gate that lets in who has a token of the list, as long as it is there. */
const gate = (site: Site, tokens: Set<string>): void => {
  site.host.room.setGate({
    admit: async () => undefined,
    admitRequest: async (request) => {
      if (tokens.has((request as Request).headers.get('Authorization') ?? '')) return;
      throw new TinyBasePartyKitError('forbidden', 'Not here.');
    },
    check: () => 'unknown',
    mayWrite: () => true,
  });
};

test('[LIMIT-4] bodies that the gate refuses keep out none that it lets in', async () => {
  const site = new Site(new FakeRoomHost({ limits: () => ({ waitingBodies: 2 }) }));
  gate(site, new Set(['ada']));
  const strangers = Array.from({ length: 3 }, () => new SlowBody());
  const refused = strangers.map(async ({ init }) => await site.ask('PUT', init));
  await settle();
  // The room reads two of them, and answers the third at once.
  expect((await refused[2])?.status).toBe(403);
  const headers = { Authorization: 'ada' };
  expect((await site.ask('PUT', { body: '[{},{"a":1}]', headers })).status).toBe(201);
  for (const body of strangers) body.end();
  expect((await Promise.all(refused)).map(({ status }) => status)).toEqual([403, 403, 403]);
});

test('[GATE-2] a PUT is verified again when its body is complete', async () => {
  const site = new Site();
  const tokens = new Set(['ada']);
  gate(site, tokens);
  const headers = { Authorization: 'ada' };
  const body = new SlowBody();
  const answer = site.ask('PUT', { ...body.init, headers });
  body.send('[{},{"a":');
  await settle();
  tokens.clear();
  body.send('1}]');
  body.end();
  expect((await answer).status).toBe(403);
  tokens.add('ada');
  expect(await (await site.ask('GET', { headers })).text()).toBe('');
});

test('[LIMIT-4] refuses content of too many leaves before it is parsed, and counts ids alone', async () => {
  const site = new Site(new FakeRoomHost({ limits: () => ({ contentBytes: 10_000 }) }));
  const cells = Array.from({ length: 400 }, (_, index) => `"c${index}":1`).join(',');
  const refused = await site.ask('PUT', { body: `[{"t":{"r":{${cells}}}}, this is not JSON` });
  expect(refused.status).toBe(413);
  const text = '":'.repeat(400) + '\\';
  const taken = await site.ask('PUT', { body: JSON.stringify([{}, { text, [text]: 1 }]) });
  expect(taken.status).toBe(201);
});

/** Makes the content of a room large, and returns it. */
async function large(site: Site, text: string): Promise<string> {
  site.host.room.store.setValue('text', text);
  await settle();
  return site.host.room.store.getJson();
}

describe('[LIMIT-6] large content', () => {
  test.each([0, 1, 2, 3])('arrives as it is, %i characters later', async (offset) => {
    const site = await new Site().seed();
    const content = await large(site, 'x'.repeat(offset) + '\u{1F415}é'.repeat(100_000));
    expect(await (await site.ask('GET')).text()).toBe(content);
    const loaded = (await (await site.ask('GET', {}, `${URL_OF_STORE}?cursor`)).json()) as object;
    expect(loaded).toMatchObject({ content: JSON.parse(content) as unknown });
  });

  test('is encoded once for all who load it, with and without the cursor', async () => {
    const site = await new Site().seed();
    const content = await large(site, 'x'.repeat(1_000_000));
    const encode = vi.spyOn(TextEncoder.prototype, 'encode');
    const urls = Array.from(
      { length: 20 },
      (_, index) => URL_OF_STORE + (index < 10 ? '?cursor' : ''),
    );
    const answers = await Promise.all(urls.map((url) => site.ask('GET', {}, url)));
    const texts = await Promise.all(answers.map((answer) => answer.text()));
    const lengths = encode.mock.calls.map(([text]) => text?.length ?? 0);
    encode.mockRestore();
    // Heads and tails are short.
    expect(lengths.filter((length) => length > 100)).toEqual([content.length]);
    for (const [index, text] of texts.entries())
      expect(index < 10 ? text.endsWith(`"content":${content}}`) : text === content).toBe(true);
  });

  test('that is not read for 30 s breaks off, and one that is read slowly does not', async () => {
    const site = await new Site().seed();
    await large(site, 'x'.repeat(300_000));
    const [unread, slow] = [await site.ask('GET'), await site.ask('GET')];
    const reader = slow.body?.getReader();
    let length = 0;
    for (let isDone: boolean | undefined = false; isDone === false;) {
      const part = await reader?.read();
      isDone = part?.done;
      length += part?.value?.length ?? 0;
      await site.host.pass(20_000);
    }
    expect(length).toBeGreaterThan(300_000);
    await expect(unread.text()).rejects.toThrow('not read');
  });

  test('of old versions breaks off if all of them are too long', async () => {
    const limits = { heldLength: 500_000 };
    const site = await new Site(new FakeRoomHost({ limits: () => limits })).seed();
    const answers: Response[] = [];
    for (const letter of ['a', 'b', 'c']) {
      await large(site, letter.repeat(200_000));
      answers.push(await site.ask('GET'), await site.ask('GET'));
    }
    const ends = await Promise.allSettled(answers.map((answer) => answer.text()));
    expect(ends.map(({ status }) => status)).toEqual([
      ...['rejected', 'rejected'],
      ...['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled'],
    ]);
  });
});
