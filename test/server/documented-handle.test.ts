import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';
import { afterEach, expect, test, vi } from 'vitest';

import type { TinyBasePartyKitServer } from '../../src/server/index.ts';
import { SmallParty } from '../support/small-server.ts';
import { SECRET } from '../support/tokens.ts';

const REPOSITORY = new URL('../../', import.meta.url);
const sourceOf = (path: string): string => fileURLToPath(new URL(`src/${path}`, REPOSITORY));

/** A block of docs/handle.md, as a module. */
async function documented<Module>(file: string): Promise<Module> {
  const page = await readFile(new URL('docs/handle.md', REPOSITORY), 'utf8');
  const [, code = ''] = page.split(`// ${file}\n`);
  const { outputFiles } = await build({
    stdin: {
      contents: code.split('```')[0] ?? '',
      loader: 'ts',
      resolveDir: fileURLToPath(REPOSITORY),
    },
    alias: {
      'tinybase-partykit/server/admin': sourceOf('server/features/admin/index.ts'),
      'tinybase-partykit/server/auth': sourceOf('server/features/auth/index.ts'),
      'tinybase-partykit/server/events': sourceOf('server/features/events/index.ts'),
      'tinybase-partykit/server': sourceOf('server/index.ts'),
      'tinybase-partykit/backend': sourceOf('backend/index.ts'),
    },
    bundle: true,
    format: 'esm',
    write: false,
  });
  const text = outputFiles[0]?.text ?? '';
  return (await import(`data:text/javascript,${encodeURIComponent(text)}`)) as Module;
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

test('the program of docs/handle.md commands its room', async () => {
  const { default: Board } = await documented<{
    default: new (
      party: unknown,
    ) => TinyBasePartyKitServer & { onConnect: (...all: unknown[]) => unknown };
  }>('commanded-room.ts');
  const party = new SmallParty('my-board', { ADMIN_SECRET: SECRET });
  const room = new Board(party);
  const request = new Request('http://localhost:1999/parties/main/my-board');
  const sockets = ['one', 'two'].map((id) => party.connect(id));
  for (const socket of sockets) await room.onConnect(socket, { request });
  const asked: string[] = [];
  // The network between them.
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    asked.push(new URL(url).href.split('?')[0] ?? '');
    return await room.onRequest(new Request(url, init) as never);
  });
  vi.stubEnv('ADMIN_SECRET', SECRET);
  const logged: unknown[] = [];
  vi.spyOn(console, 'log').mockImplementation((text) => void logged.push(text));
  await documented('command.mjs');
  expect(logged).toEqual([2, 2]);
  expect(sockets.every(({ closeCode }) => closeCode !== undefined)).toBe(true);
  expect(asked.every((url) => url.startsWith(`${request.url}/`))).toBe(true);
});

test('the backend of docs/handle.md commands its room', async () => {
  const { default: Board } = await documented<{
    default: new (party: unknown) => TinyBasePartyKitServer;
  }>('handled-room.ts');
  const { ban, copy } = await documented<{
    ban: (secret: string, room: string, user: string) => Promise<string>;
    copy: (secret: string, from: string, to: string) => Promise<void>;
  }>('handled-backend.ts');
  const env = { ADMIN_SECRET: SECRET, AUTH_SECRET: SECRET };
  const rooms = Object.fromEntries(
    ['one', 'two'].map((id) => [id, new Board(new SmallParty(id, env))]),
  );
  // The network between them.
  vi.stubGlobal('fetch', async (url: string, init: RequestInit) => {
    const [, , room = ''] = new URL(url).pathname.slice(1).split('/');
    return await rooms[room]?.onRequest(new Request(url, init) as never);
  });
  expect(await ban(SECRET, 'one', 'ada')).toBe('0 closed, 0 left');
  await expect(ban('x'.repeat(32), 'one', 'ada')).rejects.toMatchObject({ code: 'unauthorized' });
  await expect(copy(SECRET, 'one', 'two')).rejects.toThrow('no content');
  rooms['one']?.store.setValue('v', 1);
  await copy(SECRET, 'one', 'two');
  expect(rooms['two']?.store.getValues()).toEqual({ v: 1 });
  const logged: unknown[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((text) => void logged.push(text));
  await (rooms['two'] as unknown as { onAlarm(): Promise<void> }).onAlarm();
  log.mockRestore();
  expect(logged).toEqual([
    expect.stringMatching(/^two has 0 connections, and \d+ bytes of log\.$/),
  ]);
});
