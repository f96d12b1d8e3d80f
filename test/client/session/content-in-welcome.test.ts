import { expect, test } from 'vitest';

import { contentOf, ScriptedRoom, SECOND } from './scripted-room.ts';

/** A client that has said hello again, and shows that content. */
const away = async (content: unknown): Promise<ScriptedRoom> => {
  const room = new ScriptedRoom();
  await room.live(content);
  room.close();
  return room;
};

test('[JOIN-11] content in the welcome replaces what was shown, in one transaction and without a request', async () => {
  const room = await away([{ t: { old: { c: 1 }, both: { c: 1, gone: 1 } } }, { gone: 1, v: 1 }]);
  room.open();
  let transactions = 0;
  room.store.addDidFinishTransactionListener(() => {
    transactions += 1;
  });
  room.welcome({
    generation: room.hello().generation,
    cursor: { epoch: 'e', version: 900 },
    content: contentOf([{ t: { both: { c: 1 }, new: { c: 3 } } }, { v: 2 }]),
  });
  expect(room.store.getContent()).toEqual([{ t: { both: { c: 1 }, new: { c: 3 } } }, { v: 2 }]);
  expect(transactions).toBe(1);
  expect(room.gets.waiting).toHaveLength(0);
  expect(room.session.sync).toEqual({ phase: 'live', unsaved: 0, localOnly: 0 });
  room.commit(901, [{}, { v: 3 }]);
  expect(room.store.getValue('v')).toBe(3);
  expect(room.errors).toEqual([]);
});

test('[JOIN-11] [ONCE-4] pending pushes stay on top of it, and those that the room knows do not', async () => {
  const room = new ScriptedRoom();
  await room.live([{}, { v: 1 }]);
  room.store.setValue('v', 'refused');
  room.store.setValue('mine', 1);
  room.sent();
  room.close();
  room.open();
  const { generation, cursor } = room.hello();
  expect(cursor).toEqual({ epoch: 'e', version: 1 });
  room.welcome({
    generation,
    lastPush: 1,
    cursor: { epoch: 'e', version: 7 },
    content: contentOf([{}, { v: 'theirs', mine: 0 }]),
  });
  expect(room.store.getValues()).toEqual({ v: 'theirs', mine: 1 });
  expect(room.pushes()).toEqual([[2, [{}, { mine: 1 }]]]);
  room.ack(2, 8);
  expect(room.session.sync).toEqual({ phase: 'live', unsaved: 0, localOnly: 0 });
  expect(room.store.getValues()).toEqual({ v: 'theirs', mine: 1 });
});

test('[JOIN-11] [LOCAL-2] a leaf that is local-only stays so, unless the room has set it', async () => {
  const room = new ScriptedRoom();
  room.store.setValuesSchema({ same: { type: 'number' }, other: { type: 'number' } });
  await room.live([{}, { same: 'text', other: 'text' }]);
  expect(room.session.sync.localOnly).toBe(2);
  room.close();
  room.open();
  room.welcome({
    generation: room.hello().generation,
    cursor: { epoch: 'e', version: 7 },
    content: contentOf([{}, { same: 'text', other: 2 }]),
  });
  expect(room.store.getValues()).toEqual({ other: 2 });
  expect(room.session.sync.localOnly).toBe(1);
});

test('[JOIN-11] [JOIN-8] the content of a room that began anew is told once', async () => {
  const room = await away([{}, { old: 1 }]);
  for (const epoch of ['f', 'f', 'g']) {
    room.open();
    room.welcome({
      generation: room.hello().generation,
      cursor: { epoch, version: 3 },
      content: contentOf([{}, { new: epoch }]),
    });
    expect(room.store.getValues()).toEqual({ new: epoch });
    await room.time.pass(5 * SECOND);
    room.close();
  }
  expect(room.errors).toMatchObject([{ code: 'stale' }, { code: 'stale' }]);
});

test('[JOIN-11] what is not followed is not shown', async () => {
  const room = await away([{}, { v: 1 }]);
  room.session.stopFollowing();
  room.open();
  const { generation } = room.hello();
  const cursor = { epoch: 'e', version: 7 };
  room.welcome({ generation, cursor, content: contentOf([{}, { v: 2 }]) });
  expect(room.session.sync.phase).toBe('live');
  expect(room.store.getValues()).toEqual({ v: 1 });
  expect(room.session.cursor).toEqual(cursor);
});

test('[JOIN-11] content that comes unasked, or in answer to an earlier hello, counts for nothing', async () => {
  const room = await away([{}, { v: 1 }]);
  room.open();
  const { generation } = room.hello();
  const late = { cursor: { epoch: 'e', version: 7 }, content: contentOf([{}, { v: 'late' }]) };
  room.welcome({ generation: generation - 1, ...late });
  expect(room.session.sync.phase).toBe('catching-up');
  room.welcome({ generation });
  room.welcome({ generation, ...late });
  expect(room.store.getValues()).toEqual({ v: 1 });
  expect(room.session.cursor?.version).toBe(1);
});
