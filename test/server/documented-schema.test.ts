import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

import type { TinyBasePartyKitServer } from '../../src/server/index.ts';
import { blockWith } from '../support/documented-app.ts';
import { SmallParty } from '../support/small-server.ts';
import { TinyBasePartyKitServer as PlainRoom } from '../../src/server/index.ts';

const REPOSITORY = new URL('../../', import.meta.url);

/** The room of docs/schema-changes.md. */
async function migratedRoom(): Promise<new (party: unknown) => TinyBasePartyKitServer> {
  const { outputFiles } = await build({
    stdin: {
      contents: blockWith('docs/schema-changes.md', '// migrated-room.ts'),
      loader: 'ts',
      resolveDir: fileURLToPath(REPOSITORY),
    },
    alias: {
      'tinybase-partykit/server': fileURLToPath(new URL('src/server/index.ts', REPOSITORY)),
    },
    bundle: true,
    format: 'esm',
    write: false,
  });
  const text = encodeURIComponent(outputFiles[0]?.text ?? '');
  const module = (await import(`data:text/javascript,${text}`)) as {
    default: new (party: unknown) => TinyBasePartyKitServer;
  };
  return module.default;
}

test('a release whose room changes its content does it once, and loses nothing', async () => {
  const MigratedRoom = await migratedRoom();
  const party = new SmallParty('room', {});
  const old = new PlainRoom(party as never);
  await old.start();
  old.store.setTables({
    people: { ada: { name: 'Ada King Lovelace' }, bob: { firstName: 'Bob', lastName: 'B.' } },
  });
  await old.whenDurable();

  const expected = {
    people: {
      ada: { firstName: 'Ada', lastName: 'King Lovelace' },
      bob: { firstName: 'Bob', lastName: 'B.' },
    },
  };
  const room = new MigratedRoom(party);
  await room.start();
  expect(room.store.getTables()).toEqual(expected);
  const { version } = await room.getStats();
  await room.whenDurable();

  const again = new MigratedRoom(party);
  await again.start();
  expect(again.store.getTables()).toEqual(expected);
  expect((await again.getStats()).version).toBe(version);
});
