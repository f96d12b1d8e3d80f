import { setImmediate as nextTurn } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import { decodeLargePush } from '../../../src/protocol/codec.ts';
import { changesOf, failure, jsonOf, ScriptedRoom } from './scripted-room.ts';

describe('pushes', () => {
  test('[ONCE-1] are numbered 1, 2, 3 … and sent in order', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('a', 1);
    room.store.setValue('b', 1);
    room.store.transaction(() => room.store.setValues({ a: 2, b: 2 }));
    expect(room.pushes()).toEqual([
      [1, [{}, { a: 1 }]],
      [2, [{}, { b: 1 }]],
      [3, [{}, { a: 2, b: 2 }]],
    ]);
    room.ack(1, 2);
    room.store.setValue('c', 1);
    const [push] = room.sent();
    expect(push).toMatchObject({ type: 'push', number: 4 });
  });

  test('[ONCE-1] are sent again, and only those not answered, after a hello', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (const id of ['a', 'b', 'c']) room.store.setValue(id, 1);
    room.ack(1, 2);
    room.close();
    room.open();
    room.sent();
    room.welcome({ generation: 2, lastPush: 1, cursor: { epoch: 'e', version: 2 } });
    expect(room.pushes().map(([number]) => number)).toEqual([2, 3]);
  });

  test('[ONCE-4] that the room has dealt with are dropped: the catch-up has what was accepted', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { a: 0, b: 0, c: 0 }]);
    for (const id of ['a', 'b', 'c']) room.store.setValue(id, 1);
    room.close();
    room.open();
    expect(room.sent().at(-1)).toMatchObject({ nextPush: 1 });
    // The first was accepted, the second refused; the third never came.
    room.welcome({
      generation: 2,
      lastPush: 2,
      cursor: { epoch: 'e', version: 2 },
      changes: changesOf([{}, { a: 1 }]),
    });
    expect(room.store.getValues()).toEqual({ a: 1, b: 0, c: 1 });
    expect(room.session.sync.unsaved).toBe(1);
    expect(room.refusals).toEqual([{ type: 'value', valueId: 'b', value: 1, reason: 'unknown' }]);
    expect(room.pushes()).toEqual([[3, [{}, { c: 1 }]]]);
  });

  test('[ONCE-4] of which a row deletion was refused are reported too', async () => {
    const room = new ScriptedRoom();
    await room.live([{ t: { r: { c: 1 }, s: { c: 1 } } }, {}]);
    room.store.delRow('t', 'r');
    room.store.delRow('t', 's');
    room.close();
    room.open();
    room.sent();
    room.welcome({
      generation: 2,
      lastPush: 2,
      cursor: { epoch: 'e', version: 2 },
      changes: changesOf([{}, {}, { t: ['s'] }]),
    });
    expect(room.store.getTables()).toEqual({ t: { r: { c: 1 } } });
    expect(room.refusals).toEqual([{ type: 'row', tableId: 't', rowId: 'r', reason: 'unknown' }]);
  });

  test('are reported, leaf by leaf, where the room corrects them', async () => {
    const room = new ScriptedRoom();
    await room.live([{ t: { r: { c: 1 } } }, {}]);
    room.store.transaction(() => room.store.setValues({ a: 1, b: 1 }).delRow('t', 'r'));
    room.ack(1, 2, [{ t: { r: { c: 1 } } }, { a: 0 }]);
    expect(room.store.getContent()).toEqual([{ t: { r: { c: 1 } } }, { a: 0, b: 1 }]);
    expect(room.refusals).toEqual([
      { type: 'row', tableId: 't', rowId: 'r', reason: 'hook' },
      { type: 'value', valueId: 'a', value: 1, reason: 'hook' },
    ]);
  });

  test('[ONCE-6] over the frame limit go over HTTP, after the acks of earlier ones and before later ones', async () => {
    const room = new ScriptedRoom();
    await room.live();
    const large = 'x'.repeat(2000);
    room.store.setValue('a', 1);
    room.store.setValue('large', large);
    room.store.setValue('b', 1);
    expect(room.pushes().map(([number]) => number)).toEqual([1]);
    expect(room.postBodies).toEqual([]);
    room.ack(1, 2);
    const [body = ''] = room.postBodies;
    const { clientId, generation, push } = decodeLargePush(body);
    expect([clientId, generation, push.number]).toEqual(['0'.padStart(22, 'c'), 1, 2]);
    expect(jsonOf(push)).toEqual([{}, { large }]);
    room.posts.take().answer();
    await nextTurn();
    expect(room.pushes()).toEqual([]);
    room.ack(2, 3);
    expect(room.pushes().map(([number]) => number)).toEqual([3]);
    expect(room.postBodies).toHaveLength(1);
  });

  test('[ONCE-6] over the frame limit go again after a failure, with the new generation', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('large', 'x'.repeat(2000));
    room.posts.take().fail(failure('network'));
    await room.time.pass(0);
    room.welcome({ generation: room.hello().generation });
    expect(room.postBodies.map((body) => decodeLargePush(body).generation)).toEqual([1, 2]);
    expect(room.postBodies.map((body) => decodeLargePush(body).push.number)).toEqual([1, 1]);
    // The answer to a request of an earlier conversation means nothing any more.
    room.close();
    room.open();
    room.welcome({ generation: room.hello().generation });
    expect(room.postBodies).toHaveLength(3);
    room.posts.take().fail(failure('network'));
    await room.time.pass(0);
    expect(room.sent()).toEqual([]);
    expect(room.session.sync.phase).toBe('live');
  });

  test('[ONCE-7] over the limit that a welcome tells are not even tried', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('large', 'x'.repeat(20_000));
    expect(room.postBodies).toEqual([]);
    expect(room.session.sync.unsaved).toBe(0);
    expect(room.refusals).toMatchObject([{ valueId: 'large', reason: 'too-large' }]);
    room.store.setValue('small', 1);
    expect(room.pushes()).toEqual([[1, [{}, { small: 1 }]]]);
  });

  test('[ONCE-7] that turn out too large keep their number, empty, and become local-only', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('large', 'x'.repeat(2000));
    room.store.setValue('b', 1);
    room.posts.take().fail(failure('too-large'));
    await nextTurn();
    expect(room.pushes()).toEqual([
      [1, [{}, {}]],
      [2, [{}, { b: 1 }]],
    ]);
    expect(room.refusals).toMatchObject([{ valueId: 'large', reason: 'too-large' }]);
    room.receive({
      type: 'ack',
      number: 1,
      version: 1,
      isCommit: false,
      correction: undefined,
      reason: undefined,
    });
    room.ack(2, 2);
    expect(room.session.sync.unsaved).toBe(0);
    expect(room.store.getValues()).toMatchObject({ b: 1, large: 'x'.repeat(2000) });
  });

  test('[ONCE-8] that the room cannot read go again, empty, with all after them, and become local-only', async () => {
    const room = new ScriptedRoom();
    await room.live([{}, { deep: 0 }]);
    room.store.setValue('a', 1);
    room.store.setValue('deep', 1);
    room.store.setValue('b', 1);
    expect(room.pushes()).toHaveLength(3);
    room.ack(1, 2);
    room.receive({ type: 'error', code: 'malformed', message: 'm', push: 2 });
    expect(room.pushes()).toEqual([
      [2, [{}, {}]],
      [3, [{}, { b: 1 }]],
    ]);
    expect(room.refusals).toEqual([
      { type: 'value', valueId: 'deep', value: 1, reason: 'malformed' },
    ]);
    expect(room.errors).toMatchObject([{ code: 'malformed', message: 'm' }]);
    // Told again, it has nothing to take back any more.
    room.receive({ type: 'error', code: 'malformed', message: 'm', push: 2 });
    expect(room.sent()).toEqual([]);
    room.receive({
      type: 'ack',
      number: 2,
      version: 2,
      isCommit: false,
      correction: undefined,
      reason: undefined,
    });
    room.ack(3, 3);
    expect(room.session.sync).toMatchObject({ phase: 'live', unsaved: 0 });
    expect(room.store.getValues()).toEqual({ a: 1, deep: 1, b: 1 });
    room.session.discardLocal();
    expect(room.store.getValues()).toEqual({ a: 1, deep: 0, b: 1 });
    expect(room.refusals).toHaveLength(1);
  });

  test('[ONCE-8] that were not sent, or not in this conversation, were not what the room could not read', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('a', 1);
    room.sent();
    for (const push of [2, 7])
      room.receive({ type: 'error', code: 'malformed', message: 'm', push });
    room.close();
    room.open();
    const { generation } = room.hello();
    room.receive({ type: 'error', code: 'malformed', message: 'm', push: 1 });
    expect(room.sent()).toEqual([]);
    room.welcome({ generation });
    expect(room.pushes()).toEqual([[1, [{}, { a: 1 }]]]);
    expect(room.refusals).toEqual([]);
  });

  test('[ONCE-8] over the frame limit that are answered with 400 go again, empty', async () => {
    const room = new ScriptedRoom();
    await room.live();
    const large = 'x'.repeat(2000);
    room.store.setValue('large', large);
    room.posts.take().fail(failure('malformed'));
    await nextTurn();
    expect(room.pushes()).toEqual([[1, [{}, {}]]]);
    expect(room.refusals).toEqual([
      { type: 'value', valueId: 'large', value: large, reason: 'malformed' },
    ]);
    expect(room.store.getValues()).toEqual({ large });
  });

  test('do not pile up on the way', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (let n = 1; n <= 600; n++) room.store.setValue('n', n);
    expect(room.pushes()).toHaveLength(512);
    for (let n = 1; n <= 10; n++) room.ack(n, n + 1);
    expect(room.pushes().map(([number]) => number)).toEqual([
      513, 514, 515, 516, 517, 518, 519, 520, 521, 522,
    ]);
  });
});
