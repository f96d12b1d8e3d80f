import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll } from 'vitest';

import { startParty } from '../support/party.ts';
import { RemoteStorage } from '../support/remote-storage.ts';
import { describeRoomStorage } from '../support/room-storage-contract.ts';
import { startServerProcess, type ServerProcess } from '../support/server-process.ts';
import { WORKER_READY_TEXT } from './hosts.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

const HOSTS: Readonly<Record<string, () => Promise<ServerProcess>>> = {
  'partykit dev': () => startParty({ entry: 'test/room/fixtures/storage.ts' }),
  'miniflare, with SQLite': () =>
    startServerProcess({
      name: 'miniflare with storage',
      readyText: WORKER_READY_TEXT,
      command: (port, persistPath) => [
        'test/hosts/serve-worker.mjs',
        'test/hosts/fixtures/storage.ts',
        String(port),
        persistPath,
        'storage=StorageObject',
      ],
      workingFolder: REPOSITORY,
    }),
};

for (const [name, start] of Object.entries(HOSTS)) {
  let server: ServerProcess | undefined;
  let storages = 0;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());
  describeRoomStorage(
    `the storage of ${name}`,
    () => {
      storages += 1;
      return new RemoteStorage(`${server?.origin}/parties/main/storage-${storages}`);
    },
    { isSlow: true },
  );
}
