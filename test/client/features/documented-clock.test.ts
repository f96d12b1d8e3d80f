import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type PartySocket from 'partysocket';
import { afterEach, expect, test } from 'vitest';

import { makeDocumentedApp, type DocumentedApp } from '../../support/documented-app.ts';
import { FakeRoomHost, settle } from '../../support/fake-connection.ts';
import { FakePartySocket } from '../fake-party-socket.ts';

const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

/** The files in CONTRIBUTING.md: each block begins with the comment `// src/…`. */
const blocks = new Map(
  Array.from(
    readFileSync(join(REPOSITORY, 'CONTRIBUTING.md'), 'utf8').matchAll(
      /^```ts\n\/\/ (src\/\S+)\n(.*?)^```/gms,
    ),
    ([, path = '', code = '']) => [path, code],
  ),
);

/** Returns code whose relative imports lead to the repository, if the file is not one of the blocks. */
const inRepository = (path: string, code: string): string =>
  code.replaceAll(/from '(\.[^']+)'/g, (whole, target: string) => {
    const file = join(dirname(path), target);
    if (blocks.has(file)) return whole;
    if (!existsSync(join(REPOSITORY, file))) throw new Error(`${path} imports ${target}.`);
    return `from '${join(REPOSITORY, file)}'`;
  });

let app: DocumentedApp | undefined;
afterEach(() => app?.remove());

test('the clock of CONTRIBUTING.md tells the page the time of its room', async () => {
  app = makeDocumentedApp();
  for (const [path, code] of blocks) app.write(path, inRepository(path, code));
  const load = async <Module>(path: string): Promise<Module> =>
    (await import(join(app?.folder ?? '', path))) as Module;
  const { createClock: createRoomClock } = await load<{
    createClock: (host: FakeRoomHost['room']) => { tell(): void };
  }>('src/server/features/clock/index.ts');
  const { createClock } = await load<{
    createClock: (socket: PartySocket, onTime: (time: number) => void) => { destroy(): void };
  }>('src/client/features/clock/index.ts');

  const host = new FakeRoomHost();
  const clock = createRoomClock(host.room);
  const connection = host.connect();
  const socket = new FakePartySocket();
  const times: number[] = [];
  const pageClock = createClock(socket as unknown as PartySocket, (time) => times.push(time));
  socket.open();
  const hear = async (): Promise<void> => {
    clock.tell();
    await settle();
    for (const frame of connection.frames.splice(0)) socket.receive(frame);
  };
  await hear();
  expect(times).toEqual([host.now()]);
  socket.receive('today is the day of the app');
  expect(times).toHaveLength(1);
  pageClock.destroy();
  await hear();
  expect(times).toHaveLength(1);
});
