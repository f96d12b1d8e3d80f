import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';
import { afterEach, expect, test, vi } from 'vitest';

import type { TinyBasePartyKitServer } from '../../../../src/server/index.ts';
import { StrictStorage } from '../../../support/strict-storage.ts';
import { until } from '../../../support/until.ts';

const REPOSITORY = new URL('../../../../', import.meta.url);
const here = (path: string): string => fileURLToPath(new URL(path, REPOSITORY));

/** The code of docs/events.md whose first line is the comment with that name. */
const documented = async (name: string): Promise<string> => {
  const document = await readFile(here('docs/events.md'), 'utf8');
  const block = document.split('```ts\n').find((code) => code.startsWith(`// ${name}\n`));
  if (block === undefined) throw new Error(`docs/events.md has no ${name}.`);
  return block.split('```')[0] ?? '';
};

/** Runs the code as a module, with this package and a PartySocket that leads to the room of this test. */
const run = async (code: string): Promise<unknown> => {
  const { outputFiles } = await build({
    stdin: { contents: code, loader: 'ts', resolveDir: here('.') },
    alias: {
      'tinybase-partykit/server/events': here('src/server/features/events/index.ts'),
      'tinybase-partykit/server': here('src/server/index.ts'),
      'tinybase-partykit/client/events': here('src/client/features/events/index.ts'),
      'tinybase-partykit/client': here('src/client/index.ts'),
      partysocket: here('test/support/room-party-socket.ts'),
    },
    bundle: true,
    format: 'esm',
    write: false,
  });
  const text = outputFiles[0]?.text ?? '';
  return await import(`data:text/javascript,${encodeURIComponent(text)}`);
};

/** One end of a socket in memory. */
interface Connection {
  readonly id: string;
  readyState: number;
  state: unknown;
  send(frame: string): void;
  close(): void;
  setState(state: unknown): void;
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test('the pair of docs/events.md does what it says', async () => {
  const { default: Board } = (await run(await documented('events-room.ts'))) as {
    default: new (
      party: unknown,
    ) => TinyBasePartyKitServer & { onConnect: (...all: unknown[]) => unknown };
  };
  const connections: Connection[] = [];
  const board = new Board({
    id: 'my-board',
    env: {},
    storage: new StrictStorage(),
    getConnections: () => connections,
  });
  const printed: string[] = [];
  let isLive = false;
  vi.spyOn(console, 'log').mockImplementation((line: string) => printed.push(line));
  vi.stubGlobal('location', { host: 'room.test' });
  vi.stubGlobal('fetch', (url: string, init: RequestInit) =>
    board.onRequest(new Request(url, init) as never),
  );
  vi.stubGlobal('roomOfThisTest', (hear: (frame: string) => void) => {
    const connection: Connection = {
      id: 'ada',
      readyState: 1,
      state: null,
      send: (frame) => {
        isLive ||= frame.endsWith('"changes":[{},{}]}');
        hear(frame);
      },
      close: () => undefined,
      setState: (state) => {
        connection.state = state;
      },
    };
    connections.push(connection);
    void board.onConnect(connection, {
      request: new Request('http://room.test/parties/main/my-board'),
    });
    return (frame: string) => void board.onMessage(frame, connection as never);
  });
  const button = new EventTarget();
  vi.stubGlobal('document', { createElement: () => button, body: { append: () => undefined } });
  await run(await documented('events-page.ts'));
  await until('the page to be live', () => isLive);
  button.dispatchEvent(new Event('click'));
  await until('the last line', () => printed.length >= 5);
  expect(printed).toEqual([
    'Somebody has come',
    'ada waves',
    'That makes 42',
    'ada added {"text":"Buy bread"}',
    expect.stringMatching(/^The note [0-9a-f-]{36} is stored\.$/) as string,
  ]);
  expect(Object.values(board.store.getTable('notes'))).toEqual([{ text: 'Buy bread' }]);
});
