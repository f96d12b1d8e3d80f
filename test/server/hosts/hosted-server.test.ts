import { afterEach, expect, test, vi } from 'vitest';

import { answerPings, type HostedServer } from '../../../src/server/hosts/hosted-server.ts';
import type { ObjectContext } from '../../../src/server/hosts/object-context.ts';

/** As the class of the runtime. */
class Pair {
  readonly request: string;
  readonly response: string;

  constructor(request: string, response: string) {
    this.request = request;
    this.response = response;
  }
}

afterEach(() => {
  vi.unstubAllGlobals();
});

test.each<readonly [string, unknown, string]>([
  ['a prefix', { messagePrefix: 'x.' }, 'x.'],
  ['no prefix', {}, ''],
  ['a prefix that is no text', { messagePrefix: null }, ''],
  ['null', null, ''],
  ['nothing', undefined, ''],
  ['a text', 'x', ''],
])(
  '[ORDER-7] the runtime answers pings as the room reads them, with %s as its config',
  (_what, config, prefix) => {
    vi.stubGlobal('WebSocketRequestResponsePair', Pair);
    const pairs: unknown[] = [];
    const context = { setWebSocketAutoResponse: (pair: unknown) => pairs.push(pair) };
    answerPings(context as unknown as ObjectContext, { config } as HostedServer);
    expect(pairs).toEqual([new Pair(`${prefix}i[]`, `${prefix}o[]`)]);
  },
);
