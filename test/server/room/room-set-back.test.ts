import { expect, test } from 'vitest';

import type { Cursor } from '../../../src/protocol/messages.ts';
import { clientId, FakeRoomHost, type FakeConnection } from '../../support/fake-connection.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

const SMALL = { page: 40, slice: 60, smallestCheckpoint: 200, smallestRetention: 150 };

/** Says hello with that cursor. Returns what the welcome tells: what was missed, or how to load. */
const ask = async (
  connection: FakeConnection,
  name: string,
  cursor: Cursor,
): Promise<'live' | 'load' | 'set back'> => {
  await connection.hello({ clientId: clientId(name), generation: 9, cursor });
  const { changes, content, isSetBack } = connection.hearOne('welcome');
  if (changes !== undefined && content === undefined) return 'live';
  return isSetBack === true ? 'set back' : 'load';
};

test('[JOIN-9] a version of the epoch that another life of the room made is none of this history', async () => {
  const host = new FakeRoomHost();
  await host.seed({ open: true });
  host.room.store.setValue('n', 2);
  await host.room.whenDurable();
  const copy = (host.storage as StrictStorage).copy();
  host.room.store.setValue('n', 3);
  const lost = await host.cursor();
  host.storage = copy;
  host.hibernate();
  const kept = await host.cursor();
  expect(kept.version).toBe(2);
  expect(await ask(host.connect(), 'early', lost)).toBe('set back');
  host.room.store.setValue('n', 'other');
  expect((await host.cursor()).version).toBe(lost.version);
  expect(await ask(host.connect(), 'equal', lost)).toBe('set back');
  host.room.store.setValue('n', 'later');
  expect((await host.cursor()).version).toBe(lost.version + 1);
  expect(await ask(host.connect(), 'behind', lost)).toBe('set back');
  expect(await ask(host.connect(), 'before', kept)).toBe('live');
  expect(await ask(host.connect(), 'now', await host.cursor())).toBe('live');
  host.hibernate();
  expect(await ask(host.connect(), 'again', lost)).toBe('set back');
  expect(await ask(host.connect(), 'still', kept)).toBe('live');
});

test('[JOIN-9] a live connection learns the tag with the first commit or ack of a life, and with no other', async () => {
  const host = new FakeRoomHost();
  await host.seed({ open: true });
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  await ada.push(1, { n: 1 });
  expect([ada.hearOne('ack').tag, bob.hearOne('commit').tag]).toEqual([undefined, undefined]);
  const [sleepy, woken] = host.hibernate(ada, bob);
  await sleepy?.push(2, { n: 2 });
  const { tag } = await host.cursor();
  expect(tag).toBeTypeOf('string');
  expect([sleepy?.hearOne('ack').tag, woken?.hearOne('commit').tag]).toEqual([tag, tag]);
  await sleepy?.push(3, { n: 3 });
  expect([sleepy?.hearOne('ack').tag, woken?.hearOne('commit').tag]).toEqual([
    undefined,
    undefined,
  ]);
  expect(await ask(host.connect(), 'cleo', { ...(await host.cursor()), version: 3 })).toBe('live');
});

test('[JOIN-9] every version in the log has its tag, through checkpoints, restarts and copies', async () => {
  const storage = new StrictStorage();
  const host = new FakeRoomHost({ storageSizes: () => SMALL }, storage);
  await host.seed({ open: true });
  const cursors: Cursor[] = [];
  for (let life = 0; life < 6; life += 1) {
    for (let edit = 0; edit < 7; edit += 1) {
      host.room.store.setCell('t', `r${edit % 3}`, 'c', `a text of the life ${life}, ${edit}`);
      await host.room.whenDurable();
      cursors.push(await host.cursor());
    }
    host.hibernate();
    await host.room.start();
    const asked = await Promise.all(
      cursors.map((cursor, index) => ask(host.connect(), `client${life}-${index}`, cursor)),
    );
    expect(asked).not.toContain('set back');
    expect(asked.at(-1)).toBe('live');
    expect(asked.at(-2)).toBe('live');
    expect(new Set(cursors.map(({ tag }) => tag)).size).toBe(life + 1);
    const foreign = cursors
      .slice(-3)
      .map(({ epoch, version }) => ({ epoch, version, tag: 'another' }));
    const refused = await Promise.all(
      foreign.map((cursor, index) => ask(host.connect(), `other${life}-${index}`, cursor)),
    );
    expect(refused).toEqual(['set back', 'set back', 'set back']);
  }
});

test.each(['epoch', 'tag', 'tag of the log'])(
  '[JOIN-8] a room whose stored %s no message can carry begins a new epoch with all that it has, once and aloud',
  async (damaged) => {
    const storage = new StrictStorage();
    const first = new FakeRoomHost({}, storage);
    await first.seed({ open: true });
    const before = new FakeRoomHost({}, storage);
    const ada = await before.join('ada');
    await ada.push(1, { n: 1 });
    if (damaged === 'tag') await before.room.administration.garbageCollect();
    const { epoch, tag } = await before.cursor();
    for (const [key, value] of await storage.list()) {
      if (typeof value !== 'string') continue;
      const isManifest = key.endsWith('manifest');
      if (isManifest !== (damaged === 'tag of the log')) {
        const name = damaged === 'epoch' ? epoch : (tag ?? '');
        await storage.put({ [key]: value.replace(`"${name}"`, '"no name"') });
      }
    }
    const host = new FakeRoomHost({}, storage);
    host.randomId = () => 'another';
    expect(await host.cursor()).toEqual({ epoch: 'another', version: 2 });
    expect(await host.content()).toEqual([{}, { open: true, n: 1 }]);
    expect(host.errors.map(({ error, where }) => [where, String(error)])).toEqual([
      ['storage', expect.stringContaining('is damaged')],
    ]);
    const again = await host.join('ada', { generation: 2 });
    // The record of the client is kept: nothing is applied twice.
    await again.push(1, { n: 'twice' });
    expect(again.hearOne('ack')).toMatchObject({ number: 1, isCommit: false });
    await again.push(2, { n: 2 });
    expect(again.hearOne('ack')).toMatchObject({ version: 3, isCommit: true });
    host.hibernate();
    expect(await host.content()).toEqual([{}, { open: true, n: 2 }]);
    expect(host.errors).toHaveLength(1);
  },
);
