import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

import type { TinyBasePartyKitServer } from '../../src/server/index.ts';
import { blockWith } from '../support/documented-app.ts';
import { until } from '../support/until.ts';
import { SmallParty } from '../support/small-server.ts';
import { TinyBasePartyKitServer as PlainRoom } from '../../src/server/index.ts';

const REPOSITORY = new URL('../../', import.meta.url);

type Room = new (
  party: unknown,
) => TinyBasePartyKitServer & { onConnect: (...all: unknown[]) => unknown };

/** A room of docs/schema-changes.md. */
async function documentedRoom(name: string): Promise<Room> {
  const { outputFiles } = await build({
    stdin: {
      contents: blockWith('docs/schema-changes.md', name),
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
    default: Room;
  };
  return module.default;
}

test('a release whose room changes its content does it once, and loses nothing', async () => {
  const MigratedRoom = await documentedRoom('// migrated-room.ts');
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

test.each(['// migrated-room.ts', '// translating-room.ts'])(
  'what a page of the old release has made offline: %s',
  async (name) => {
    const DocumentedRoom = await documentedRoom(name);
    const party = new SmallParty('room', {});
    const room = new DocumentedRoom(party);
    await room.start();
    room.store.setRow('people', 'ada', { firstName: 'Ada', lastName: 'Byron' });
    const page = party.connect('page');
    const say = async (frame: string): Promise<unknown> =>
      await room.onMessage(frame, page as never);
    await room.onConnect(page, {});
    const hello = { protocol: 1, client: 'c'.repeat(22), generation: 1, next: 1, acked: 0 };
    await say(`h${JSON.stringify({ ...hello, cursor: null })}`);
    const welcome = await until('the welcome', () => page.heard.find((frame) => frame[0] === 'w'));
    const { cursor } = JSON.parse(welcome.slice(1)) as { cursor: unknown };
    await say(`h${JSON.stringify({ ...hello, generation: 2, cursor })}`);
    const offline = { ada: { name: 'Ada King' }, bob: { name: 'Bob B.' } };
    await say(`p${JSON.stringify([1, [{ people: offline }, {}]])}`);
    await room.whenDurable();
    await until('the ack', () => page.heard.some((frame) => frame.startsWith('a[1,')));
    expect(room.store.getTable('people')).toEqual(
      name === '// translating-room.ts'
        ? {
            ada: { firstName: 'Ada', lastName: 'King' },
            bob: { firstName: 'Bob', lastName: 'B.' },
          }
        : { ada: { firstName: 'Ada', lastName: 'Byron' } },
    );
  },
);
