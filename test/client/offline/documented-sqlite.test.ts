import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type PartySocket from 'partysocket';
import { createStore } from 'tinybase';
import { afterEach, expect, test } from 'vitest';

import { createPartyKitPersister, type PartyKitPersister } from '../../../src/client/index.ts';
import type { Offline } from '../../../src/client/offline/index.ts';
import { blockWith, type DocumentedApp, makeDocumentedApp } from '../../support/documented-app.ts';
import { FakePartySocket, roomOn } from '../fake-party-socket.ts';

/** As slow as a database on a device. */
const MILLISECONDS = 5;

type Documented = { readonly createSqliteOffline: (database: object, user: string) => Offline };

/** As much of SQLite as the example uses. */
class SlowDatabase {
  readonly rows = new Map<string, string>();
  #last: Promise<unknown> = Promise.resolve();

  async all(_sql: string, from = '', to = ''): Promise<{ key: string; value: string }[]> {
    await wait(MILLISECONDS);
    return [...this.rows]
      .filter(([key]) => key >= from && key < to)
      .map(([key, value]) => ({ key, value }));
  }

  async run(sql: string, one = '', two = ''): Promise<void> {
    await wait(MILLISECONDS);
    if (sql.startsWith('INSERT')) this.rows.set(one, two);
    if (!sql.startsWith('DELETE')) return;
    for (const key of [...this.rows.keys()]) if (key >= one && key < two) this.rows.delete(key);
  }

  transaction<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }
}

let app: DocumentedApp | undefined;
afterEach(() => app?.remove());

test('[OFFLINE-3] a persister that replaces another one, which still uses the record, keeps its edits by the SQLite of docs/offline.md', async () => {
  app = makeDocumentedApp();
  app.write('sqlite-offline.ts', blockWith('docs/offline.md', '// sqlite-offline.ts'));
  const { createSqliteOffline } = (await import(
    join(app.folder, 'sqlite-offline.ts')
  )) as Documented;
  const database = new SlowDatabase();
  const offline = createSqliteOffline(database, 'ann');
  const store = createStore();
  const errors: unknown[] = [];
  const create = (socket: FakePartySocket, options: object = {}): PartyKitPersister =>
    createPartyKitPersister(
      store,
      socket as unknown as PartySocket,
      { offline, ...options },
      (error) => errors.push(error),
    );
  const socket = new FakePartySocket();
  const first = create(socket, { fetch: roomOn(socket).fetch });
  socket.open();
  await first.startAutoPersisting([{}, {}]);
  socket.close();
  store.setValue('one', 1);
  const ends = [first.destroy()];
  // As React's strict mode does: the second one ends while it opens the database.
  const [second, third] = [create(new FakePartySocket()), create(new FakePartySocket())];
  for (const persister of [second, third]) {
    void persister.startAutoLoad();
    void persister.startAutoSave();
    await wait(4 * MILLISECONDS);
    if (persister === second) ends.push(persister.destroy());
  }
  await Promise.all(ends);
  await wait(100 * MILLISECONDS);
  store.setValue('two', 2);
  await wait(40 * MILLISECONDS);
  const codes = errors.map((error) => (error as { code?: unknown }).code);
  expect(codes).not.toContain('offline');
  const kept = [...database.rows.values()].join();
  expect(kept).toContain('"one":1');
  expect(kept).toContain('"two":2');
  await third.destroy();
});
