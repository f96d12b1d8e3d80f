import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { TinyBasePartyKitServer } from '../../src/server/index.ts';
import { Clients } from '../support/clients.ts';
import { blockWith, type DocumentedApp, makeDocumentedApp } from '../support/documented-app.ts';
import { OFFLINE_STORAGE_CONTRACT } from '../support/offline-storage-contract.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { SmallParty } from '../support/small-server.ts';
import { until } from '../support/until.ts';
import { WORKER_READY_TEXT } from './hosts.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** Adds to the Worker of docs/deploying.md an object of docs/hosts.md, commanded over HTTP, and one with the storage of docs/offline.md. */
const MANY = `
import { DurableObject } from 'cloudflare:workers';
import worker, { RoomObject as Deployed } from './deployed-worker.ts';
import { RoomObject as Copied } from './copied-worker.ts';
import { createStorage } from './sqlite-offline.ts';
import { OFFLINE_STORAGE_CONTRACT } from '${REPOSITORY}test/support/offline-storage-contract.ts';

export { Copied, Deployed };

/** Keeps one of the promises of a storage on a database. Answers what is broken. */
export class Sqlite extends DurableObject {
  async fetch(request) {
    const { sql } = this.ctx.storage;
    let last = Promise.resolve();
    // As packages for SQLite have it: each statement takes its turn.
    const database = {
      all: async (statement, ...values) => {
        await Promise.resolve();
        return sql.exec(statement, ...values).toArray();
      },
      run: async (statement, ...values) => {
        await Promise.resolve();
        sql.exec(statement, ...values).toArray();
      },
      transaction: (work) => {
        const done = last.then(() => this.ctx.storage.transaction(work));
        last = done.catch(() => undefined);
        return done;
      },
    };
    const title = decodeURIComponent(new URL(request.url).pathname.split('/').at(-1));
    const promise = OFFLINE_STORAGE_CONTRACT.find((each) => each.title === title);
    try {
      await promise.check(() => createStorage(database));
      return new Response('kept');
    } catch (error) {
      return new Response(String(error));
    }
  }
}

export default {
  async fetch(request, env) {
    const [, command, name] = new URL(request.url).pathname.split('/');
    const copied = env.COPIED.get(env.COPIED.idFromName(name));
    switch (command) {
      case 'sqlite':
        return await env.SQLITE.get(env.SQLITE.idFromName(name)).fetch(request);
      case 'export':
        return Response.json((await copied.exportRoom()) ?? null);
      case 'restore':
        await copied.restoreRoom(await request.json());
        return new Response(null, { status: 204 });
      default:
        return await worker.fetch(request, { ROOM: env.ROOM });
    }
  },
};
`;

let app: DocumentedApp;
let old: ServerProcess;
let host: ServerProcess;
const clients = new Clients();

const start = (module: string, ...bindings: readonly string[]): Promise<ServerProcess> =>
  startServerProcess({
    name: `miniflare with ${module}`,
    readyText: WORKER_READY_TEXT,
    command: (port, folder) => [
      'test/hosts/serve-worker.mjs',
      ...[join(app.folder, module), String(port), folder, ...bindings],
    ],
    workingFolder: REPOSITORY,
  });

beforeAll(async () => {
  app = makeDocumentedApp();
  app.write('room.ts', blockWith('README.md', '// room.ts'));
  app.write('worker.ts', blockWith('docs/hosts.md', '// worker.ts'));
  app.write('copied-worker.ts', blockWith('docs/hosts.md', '// copied-worker.ts'));
  app.write('deployed-worker.ts', blockWith('docs/deploying.md', '// deployed-worker.ts'));
  const offline = blockWith('docs/offline.md', '// sqlite-offline.ts');
  app.write('sqlite-offline.ts', `${offline}export { createStorage };\n`);
  app.write('many.ts', MANY);
  old = await start('worker.ts', 'ROOM=RoomObject');
  host = await start('many.ts', 'ROOM=Deployed', 'COPIED=Copied', 'SQLITE=Sqlite');
});
afterEach(() => clients.closeAll());
afterAll(async () => {
  await host?.stop();
  await old?.stop();
  app?.remove();
});

test('the Workers of docs/hosts.md and docs/deploying.md have rooms, and the command of docs/hosts.md copies one to the other', async () => {
  const before = await clients.open({ host: old.host, room: 'one', seed: [{}, {}] });
  before.store.setCell('pets', 'fido', 'species', 'dog');
  await before.confirmed();
  writeFileSync(join(app.folder, 'rooms.txt'), 'one\n');
  const command = blockWith('docs/hosts.md', 'rooms.txt')
    .replace('https://old.example', old.origin)
    .replace('https://new.example', host.origin);
  await promisify(execFile)('bash', ['-ec', command], { cwd: app.folder });
  const after = await clients.open({ host: host.host, room: 'one' });
  expect(after.store.getContent()).toEqual([{ pets: { fido: { species: 'dog' } } }, {}]);
  const other = await clients.open({ host: host.host, room: 'one' });
  after.store.setCell('pets', 'fido', 'legs', 4);
  await until(
    'the other client to have it',
    () => other.store.getCell('pets', 'fido', 'legs') === 4,
  );
  for (const { origin } of [old, host]) expect((await fetch(`${origin}/other`)).status).toBe(404);
});

test('the object of docs/hosts.md copies a room, also over one that has content', async () => {
  const source = new TinyBasePartyKitServer(new SmallParty('source', {}) as never);
  await source.start();
  const restored = async (room: string): Promise<unknown> => {
    const body = JSON.stringify(await source.exportRoom());
    await fetch(`${host.origin}/restore/${room}`, { method: 'PUT', body });
    const response = await fetch(`${host.origin}/export/${room}`);
    return ((await response.json()) as { readonly content?: unknown }).content;
  };
  source.store.setValue('count', 1);
  expect(await restored('copy')).toEqual([{}, { count: 1 }]);
  source.store.setValue('count', 2);
  expect(await restored('copy')).toEqual([{}, { count: 2 }]);
  expect(await (await fetch(`${host.origin}/export/new`)).json()).toBeNull();
});

test.each(OFFLINE_STORAGE_CONTRACT.map(({ title }) => [title]))(
  'the storage of docs/offline.md on SQLite %s',
  async (title) => {
    const answer = await fetch(`${host.origin}/sqlite/${encodeURIComponent(title)}`);
    expect(await answer.text()).toBe('kept');
  },
);
