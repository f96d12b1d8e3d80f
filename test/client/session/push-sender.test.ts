import { describe, expect, test } from 'vitest';

import { decodeWholePush, encodeClientMessage } from '../../../src/protocol/codec.ts';
import { changesOf, jsonOf, OTHER_ADDRESS, PREFIX, ScriptedRoom, SECOND } from './scripted-room.ts';

/** The connection ends before all parts are sent, so often. */
const cut = async (room: ScriptedRoom, times: number, isMeant = false): Promise<void> => {
  for (let time = 0; time < times; time += 1) {
    expect(room.sent()).toHaveLength(4);
    room.close({ isMeant });
    await again(room);
  }
};

/** The next connection opens, and lasts so long that what is in doubt is sent. */
const again = async (
  room: ScriptedRoom,
  welcome: Omit<Parameters<ScriptedRoom['welcome']>[0], 'generation'> = {},
): Promise<void> => {
  room.open();
  room.welcome({ generation: room.hello().generation, ...welcome });
  await room.time.pass(3 * SECOND);
};

/** Takes all parts of a push, which begins with those, and answers them. Returns its JSON, and what was sent after it. */
const deliver = (
  room: ScriptedRoom,
  sent: ReturnType<ScriptedRoom['sent']> = room.sent(),
): readonly [string, ReturnType<ScriptedRoom['sent']>] => {
  let json = '';
  for (let parts = [...sent]; parts.length > 0; parts = [...room.sent()]) {
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      if (part.type !== 'part') throw new Error(`not a part: ${JSON.stringify(part)}`);
      json += part.text;
      if (json.length === part.length) return [json, parts];
      room.receive({ type: 'receipt', number: part.number, offset: json.length });
    }
  }
  throw new Error('The last part did not come.');
};

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

  test('[ONCE-4] that the room has processed are dropped: the catch-up has what was accepted', async () => {
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

  test('[PART-1] over the frame limit go in parts, in order with all others, as far as receipts allow', async () => {
    const room = new ScriptedRoom();
    await room.live();
    const large = '\u{1F415}"é\n'.repeat(600);
    room.store.setValue('a', 1);
    room.store.setValue('large', large);
    room.store.setValue('b', 1);
    const [first, ...sent] = room.sent();
    expect(first).toMatchObject({ type: 'push', number: 1 });
    const parts = sent.flatMap((message) => (message?.type === 'part' ? [message] : []));
    expect(parts).toHaveLength(4);
    expect(sent).toHaveLength(4);
    room.receive({ type: 'receipt', number: 1, offset: 1 });
    expect(room.sent()).toEqual([]);
    const last = [];
    while (parts.length > 0) {
      const part = parts.shift();
      if (part === undefined) break;
      last.push(part);
      const { number, offset, length, text } = part;
      expect(utf8(encodeClientMessage(PREFIX, part))).toBeLessThanOrEqual(1000);
      expect([number, offset]).toEqual([
        2,
        last.slice(0, -1).reduce((sum, { text: t }) => sum + t.length, 0),
      ]);
      if (offset + text.length === length) break;
      room.receive({ type: 'receipt', number, offset: offset + text.length });
      for (const message of room.sent()) {
        if (message?.type === 'part') parts.push(message);
        else expect(message).toMatchObject({ type: 'push', number: 3 });
      }
    }
    const push = decodeWholePush(2, last.map(({ text }) => text).join(''));
    expect(jsonOf(push)).toEqual([{}, { large }]);
    expect(room.session.sync.unsaved).toBe(3);
    for (const number of [1, 2, 3]) room.ack(number, number + 1);
    expect(room.session.sync).toMatchObject({ phase: 'live', unsaved: 0 });
  });

  test('[PART-2] in parts go again from the first part after a hello', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('large', 'x'.repeat(9000));
    expect(room.sent()).toHaveLength(4);
    room.receive({ type: 'receipt', number: 1, offset: 250 });
    expect(room.sent()).toMatchObject([{ type: 'part', offset: 1000 }]);
    room.receive({ type: 'error', code: 'stale', message: 'm' });
    await room.time.pass(0);
    // What the room still says about the parts of before means nothing.
    const { generation } = room.hello();
    room.receive({ type: 'receipt', number: 1, offset: 500 });
    expect(room.sent()).toEqual([]);
    room.welcome({ generation });
    expect(room.sent().map((part) => part?.type === 'part' && part.offset)).toEqual([
      0, 250, 500, 750,
    ]);
  });

  test('[PART-5] in parts for which no connection lasts become local-only in the end, and the others go on', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('large', 'x'.repeat(9000));
    room.store.setValue('after', 1);
    await cut(room, 7);
    expect(room.session.sync).toMatchObject({ unsaved: 2, localOnly: 0 });
    await cut(room, 1);
    expect(room.pushes()).toEqual([
      [1, [{}, {}]],
      [2, [{}, { after: 1 }]],
    ]);
    expect(room.session.sync).toMatchObject({ unsaved: 2, localOnly: 1 });
    expect(room.refusals).toMatchObject([{ valueId: 'large', reason: 'too-large' }]);
    expect(room.store.getValue('large')).toHaveLength(9000);
  });

  test('[PART-5] in parts are sent again as often as the room says so, and a connection in which all were sent begins anew', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('large', 'x'.repeat(1100));
    for (let time = 0; time < 20; time += 1) {
      expect(room.sent()).toHaveLength(4);
      room.receive({ type: 'error', code: 'overloaded', message: 'm' });
      let [hello] = room.sent();
      for (; hello === undefined; [hello] = room.sent()) await room.time.pass(100);
      room.welcome({ generation: hello.type === 'hello' ? hello.generation : 0 });
    }
    await cut(room, 7);
    for (let parts = room.sent(); parts.length > 0; parts = room.sent())
      for (const part of parts)
        if (part?.type === 'part')
          room.receive({ type: 'receipt', number: 1, offset: part.offset + part.text.length });
    room.close();
    room.open();
    room.welcome({ generation: room.hello().generation });
    await cut(room, 7);
    expect(room.session.sync).toMatchObject({ unsaved: 1, localOnly: 0 });
    expect(room.refusals).toEqual([]);
  });

  test('[PART-5] in parts are sent again as often as this side ends the connection', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('large', 'x'.repeat(1100));
    await cut(room, 7);
    // The app calls reconnect(), or the client has a new token.
    await cut(room, 20, true);
    expect(room.session.sync).toMatchObject({ unsaved: 1, localOnly: 0 });
    await cut(room, 1);
    expect(room.session.sync).toMatchObject({ unsaved: 1, localOnly: 1 });
  });

  test('[PART-5] in parts have 8 connections of their own, after one that was refused and in another room', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (const end of ['refusal', 'move'] as const) {
      room.store.setValue(end, 'x'.repeat(1100));
      await cut(room, 7);
      if (end === 'refusal') {
        room.sent();
        room.receive({ type: 'error', code: 'too-large', message: 'm', push: 1 });
        expect(room.pushes()).toEqual([[1, [{}, {}]]]);
        room.ack(1, 2);
      }
    }
    room.sent();
    room.address = OTHER_ADDRESS;
    room.close();
    room.open();
    await room.answerGet(1, [{}, {}]);
    room.welcome({ generation: room.hello().generation });
    room.store.setValue('there', 'x'.repeat(1100));
    await cut(room, 7);
    expect(room.refusals.map(({ reason }) => reason)).toEqual(['too-large', 'another-room']);
  });

  test('[PART-6] at which something cuts each connection travel in parts, and become local-only in the end; the others go on', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (const id of ['before', 'small', 'after']) room.store.setValue(id, 1);
    for (let time = 0; time < 4; time += 1) {
      expect(room.pushes().map(([number]) => number)).toEqual([1, 2, 3]);
      room.close();
      await again(room);
    }
    let [json, sent] = deliver(room);
    expect(json).toBe('[1,[{},{"before":1}]]');
    expect(sent).toEqual([]);
    room.ack(1, 2);
    sent = room.sent();
    for (let time = 0; time < 8; time += 1) {
      expect(room.session.sync).toMatchObject({ unsaved: 2, localOnly: 0 });
      expect(sent).toMatchObject([{ type: 'part', number: 2, text: '[2,[{},{"small":1}]' }]);
      room.close();
      await again(room, { lastPush: 1, cursor: { epoch: 'e', version: 2 } });
      sent = room.sent();
    }
    expect(room.session.sync).toMatchObject({ unsaved: 2, localOnly: 1 });
    expect(room.refusals).toMatchObject([{ valueId: 'small', reason: 'undelivered' }]);
    expect(sent).toMatchObject([{ type: 'push', number: 2 }]);
    room.ack(2, 3);
    [json, sent] = deliver(room);
    expect(json).toBe('[3,[{},{"after":1}]]');
    room.ack(3, 4);
    expect(sent).toEqual([]);
    room.store.setValue('later', 1);
    expect(room.pushes()).toEqual([[4, [{}, { later: 1 }]]]);
  });

  test('[PART-6] are kept while no connection lasts, as with a server that crashes again and again', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('small', 1);
    for (let time = 0; time < 40; time += 1) {
      expect(room.pushes()).toHaveLength(time < 4 ? 1 : 0);
      room.close();
      room.open();
      room.welcome({ generation: room.hello().generation });
      await room.time.pass(SECOND);
    }
    expect(room.session.sync).toMatchObject({ unsaved: 1, localOnly: 0 });
    await room.time.pass(2 * SECOND);
    expect(deliver(room)[0]).toBe('[1,[{},{"small":1}]]');
    room.ack(1, 2);
    expect(room.session.sync.unsaved).toBe(0);
  });

  test('[PART-6] of whose parts none passes go in parts of half the length, down to 2 KiB', async () => {
    const room = new ScriptedRoom();
    const limits = { framePushBytes: 256 * 1024, pushBytes: 1024 * 1024 };
    await room.live();
    const next = async (): Promise<void> => {
      room.close();
      await again(room, { limits });
    };
    await next();
    room.store.setValue('large', 'x'.repeat(100_000));
    for (let time = 0; time < 4; time += 1) {
      expect(room.pushes()).toHaveLength(1);
      await next();
    }
    const lengthOfFirst = (): number => {
      const [part] = room.sent();
      return part?.type === 'part' ? part.text.length / 1024 : 0;
    };
    const lengths = [];
    for (let time = 0; time < 7; time += 1) {
      lengths.push(lengthOfFirst());
      await next();
    }
    expect(lengths).toEqual([32, 32, 16, 8, 4, 2, 2]);
    expect(deliver(room)[0]).toContain('xxx');
    room.ack(1, 2);
    // What has passed says nothing of larger ones.
    room.store.setValue('larger', 'x'.repeat(300_000));
    expect(lengthOfFirst()).toBe(2);
    expect(room.refusals).toEqual([]);
  });

  test('[PART-6] of whose parts some pass keep their length', async () => {
    const room = new ScriptedRoom();
    await room.live();
    const limits = { framePushBytes: 256 * 1024, pushBytes: 1024 * 1024 };
    const next = async (): Promise<void> => {
      room.close();
      await again(room, { limits });
    };
    await next();
    room.store.setValue('large', 'x'.repeat(300_000));
    for (let time = 0; time < 7; time += 1) {
      expect(room.sent()).toMatchObject(
        [0, 1, 2, 3].map((part) => ({ type: 'part', offset: part * 32 * 1024 })),
      );
      room.receive({ type: 'receipt', number: 1, offset: 32 * 1024 });
      room.sent();
      await next();
    }
  });

  test('[PART-7] at which the room dies become local-only in the end, alone, and the others go on', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (const id of ['before', 'poison', 'after']) room.store.setValue(id, 1);
    for (let time = 0; time < 4; time += 1) {
      expect(room.pushes().map(([number]) => number)).toEqual([1, 2, 3]);
      room.close();
      await again(room);
    }
    expect(deliver(room)[0]).toContain('before');
    room.store.setValue('later', 1);
    // The room stores nothing before it dies: nothing else may be on its way then.
    expect(room.sent()).toEqual([]);
    room.ack(1, 2);
    const isTold = (): boolean => room.errors.some((error) => String(error).includes('same edit'));
    for (let time = 0; time < 8; time += 1) {
      expect(isTold()).toBe(time >= 4);
      expect(room.session.sync).toMatchObject({ unsaved: 3, localOnly: 0 });
      expect(deliver(room)).toEqual(['[2,[{},{"poison":1}]]', []]);
      room.close();
      await again(room, { lastPush: 1, cursor: { epoch: 'e', version: 2 } });
    }
    expect(room.refusals).toEqual([
      { type: 'value', valueId: 'poison', value: 1, reason: 'undelivered' },
    ]);
    expect(room.pushes()).toEqual([[2, [{}, {}]]]);
    room.ack(2, 3);
    expect(deliver(room)[0]).toContain('after');
    room.ack(3, 4);
    expect(room.pushes()).toEqual([[4, [{}, { later: 1 }]]]);
    room.ack(4, 5);
    expect(room.session.sync).toMatchObject({ phase: 'live', unsaved: 0, localOnly: 1 });
    expect(room.store.getValues()).toEqual({ before: 1, poison: 1, after: 1, later: 1 });
  });

  test('[PART-7] are sent alone again as soon as they are answered: what has died for another edit counts no more', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (let number = 1; number <= 4; number += 1) room.store.setValue('v', number);
    for (let time = 0; time < 4; time += 1) {
      room.sent();
      room.close();
      await again(room);
    }
    for (let first = 1; first <= 4; first += 1) {
      for (let time = 0; time < 7; time += 1) {
        expect(deliver(room)[0]).toContain(`"v":${first}`);
        room.close();
        await again(room, { lastPush: first - 1, cursor: { epoch: 'e', version: first } });
      }
      expect(deliver(room)[0]).toContain(`"v":${first}`);
      if (first % 2 === 0) {
        room.ack(first, first + 1);
        continue;
      }
      // The room has it, and the connection ends before the answer.
      room.close();
      await again(room, { lastPush: first, cursor: { epoch: 'e', version: first + 1 } });
    }
    expect(room.session.sync).toMatchObject({ unsaved: 0, localOnly: 0 });
  });

  test('[PART-7] of which there are many are in doubt by the dozen, and no others go one at a time', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (let number = 1; number <= 1000; number += 1) room.store.setValue('v', number);
    for (const length of [1000, 250, 62, 15]) {
      expect(room.pushes()).toHaveLength(length);
      room.close();
      await again(room);
    }
    for (let number = 1; number <= 15; number += 1) {
      expect(deliver(room)).toEqual([`[${number},[{},{"v":${number}}]]`, []]);
      room.ack(number, number + 1);
    }
    expect(room.pushes()).toHaveLength(985);
  });

  test.each([1, 16, 986, 1000])(
    '[PART-7] of which there are many: the one at which the room dies is found in few connections (number %i)',
    async (poison) => {
      const room = new ScriptedRoom();
      await room.live();
      for (let number = 1; number <= 1000; number += 1) room.store.setValue(`v${number}`, number);
      let connections = 0;
      let last = 0;
      let alone = 0;
      for (let sent = room.sent(); sent.length > 0 && connections < 20; sent = room.sent()) {
        let numbers = sent.flatMap((message) => (message?.type === 'push' ? message.number : []));
        const isAlone = numbers.length === 0;
        if (isAlone) {
          deliver(room, sent);
          numbers = [last + 1];
        }
        if (numbers.includes(poison) && room.refusals.length === 0) {
          // The room has stored nothing of what came together.
          connections += 1;
          room.close();
          await again(room, { lastPush: last, cursor: { epoch: 'e', version: last + 1 } });
          continue;
        }
        if (isAlone) alone += 1;
        for (last of numbers) room.ack(last, last + 1);
      }
      expect(room.refusals).toMatchObject([{ valueId: `v${poison}`, reason: 'undelivered' }]);
      expect(room.session.sync).toMatchObject({ unsaved: 0, localOnly: 1 });
      expect(connections).toBeLessThan(20);
      expect(alone).toBeLessThan(15);
    },
  );

  test('[PART-7] that were in doubt, and were answered, keep nothing waiting: a large one leaves with the next welcome', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('v', 1);
    for (let time = 0; time < 4; time += 1) {
      room.sent();
      room.close();
      await again(room);
    }
    deliver(room);
    room.ack(1, 2);
    room.close();
    room.store.setValue('large', 'x'.repeat(1100));
    room.open();
    const cursor = { epoch: 'e', version: 2 };
    room.welcome({ generation: room.hello().generation, lastPush: 1, cursor });
    expect(room.sent()).toMatchObject([0, 250, 500, 750].map((offset) => ({ offset, number: 2 })));
  });

  test('[PART-7] at which the room dies as soon as they are whole become local-only, also if they are too large for a frame', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('large', 'x'.repeat(3000));
    for (let time = 0; time < 12; time += 1) {
      expect(room.refusals).toEqual([]);
      expect(deliver(room)[0]).toContain('large');
      room.close();
      await again(room);
    }
    expect(room.refusals).toMatchObject([{ valueId: 'large', reason: 'undelivered' }]);
  });

  test('[PART-7] whose last part is swallowed each time become local-only in the end', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('swallowed', 1);
    room.store.setValue('after', 1);
    for (let time = 0; time < 4; time += 1) {
      room.sent();
      room.close();
      await again(room);
    }
    for (let time = 0; time < 8; time += 1) {
      expect(room.refusals).toEqual([]);
      expect(deliver(room)).toEqual(['[1,[{},{"swallowed":1}]]', []]);
      room.session.networkChanged();
      expect(room.sent()).toMatchObject([{ type: 'check' }]);
      room.receive({ type: 'pong', version: 1, lastPush: 0 });
      // The client says hello again, after a pause.
      let hello;
      for (; hello === undefined; [hello] = room.sent()) await room.time.pass(100);
      room.welcome({ generation: hello.type === 'hello' ? hello.generation : 0 });
      await room.time.pass(3 * SECOND);
    }
    expect(room.refusals).toMatchObject([{ valueId: 'swallowed', reason: 'undelivered' }]);
    expect(room.pushes()).toEqual([[1, [{}, {}]]]);
    room.ack(1, 2);
    expect(deliver(room)[0]).toContain('after');
  });

  test('[PART-7] whose answer comes right before a pong, in one frame, are not lost', async () => {
    const room = new ScriptedRoom({ isTurnHeld: true });
    await room.live();
    room.store.setValue('v', 1);
    for (let time = 0; time < 4; time += 1) {
      room.endTurn();
      room.sent();
      room.close();
      room.open();
      room.welcome({ generation: room.hello().generation });
    }
    await room.time.pass(3 * SECOND);
    room.endTurn();
    const [part] = room.sent();
    if (part?.type !== 'part') throw new Error('no part');
    room.receive({ type: 'receipt', number: 1, offset: part.text.length });
    room.endTurn();
    expect(room.sent()).toMatchObject([{ type: 'part', text: ']' }]);
    room.session.networkChanged();
    expect(room.sent()).toMatchObject([{ type: 'check' }]);
    room.ack(1, 2);
    room.receive({ type: 'pong', version: 2, lastPush: 1 });
    room.endTurn();
    await room.time.pass(SECOND);
    expect(room.sent()).toEqual([]);
    expect(room.session.sync).toMatchObject({ phase: 'live', unsaved: 0 });
  });

  test('[PART-7] that are empty are kept for ever: with a full disk, one edit becomes local-only at most', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('a', 1);
    room.store.setValue('b', 1);
    for (let time = 0; time < 12; time += 1) {
      if (time < 4) room.sent();
      else deliver(room);
      room.close();
      await again(room);
    }
    for (let time = 0; time < 40; time += 1) {
      expect(room.pushes()).toEqual([[1, [{}, {}]]]);
      room.close();
      room.open();
      room.welcome({ generation: room.hello().generation });
      // A room in which everybody would send at once would be there for nobody.
      expect(room.sent()).toEqual([]);
      await room.time.pass(3 * SECOND);
    }
    expect(room.session.sync).toMatchObject({ unsaved: 2, localOnly: 1 });
    expect(room.refusals).toHaveLength(1);
  });

  test.each([
    ['the room hangs', true, 8],
    ['parts are on a slow line', false, 20],
  ])(
    '[PART-7] in doubt when nothing is heard any more, because %s (it has all of it: %s): attempts until now %i',
    async (_why, isWhole, times) => {
      const room = new ScriptedRoom();
      await room.live();
      room.store.setValue('small', 1);
      for (let time = 0; time < 4; time += 1) {
        room.sent();
        room.close();
        await again(room);
      }
      for (let time = 0; time < times; time += 1) {
        expect(room.refusals).toEqual([]);
        if (isWhole) deliver(room);
        const { reconnects } = room;
        for (let second = 0; second < 60 && room.reconnects === reconnects; second += 1)
          await room.time.pass(SECOND);
        expect(room.reconnects).toBe(reconnects + 1);
        room.sent();
        room.close({ isMeant: true });
        await again(room);
      }
      expect(room.refusals).toHaveLength(isWhole ? 1 : 0);
    },
  );

  test('[PART-7] that wait for a slow hook are kept while the connection lasts, and while this side ends it', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('slow', 1);
    for (let time = 0; time < 4; time += 1) {
      room.sent();
      room.close();
      await again(room);
    }
    for (let time = 0; time < 20; time += 1) {
      deliver(room);
      for (let second = 0; second < 30; second += 1) {
        await room.time.pass(SECOND);
        if (room.sent().length > 0) room.receive({ type: 'alive' });
      }
      room.close({ isMeant: true });
      await again(room);
    }
    expect(room.session.sync).toMatchObject({ unsaved: 1, localOnly: 0 });
    expect(room.refusals).toEqual([]);
  });

  test.each([
    [0, 2000],
    [0.5, 3000],
    [0.99, 3980],
  ])(
    '[PART-7] of several clients part from each other: in doubt, one waits longer than another (%d: %d ms)',
    async (random, milliseconds) => {
      const room = new ScriptedRoom({ random: () => random });
      await room.live();
      room.store.setValue('v', 1);
      for (let time = 0; time < 4; time += 1) {
        room.sent();
        room.close();
        room.open();
        room.welcome({ generation: room.hello().generation });
      }
      await room.time.pass(milliseconds - 1);
      expect(room.sent()).toEqual([]);
      await room.time.pass(1);
      expect(room.sent()).toMatchObject([{ type: 'part' }]);
    },
  );

  test.each(['overloaded', 'stale'] as const)(
    '[PART-5] that the room asks for again (%s) are sent again without end, also if connections end in between',
    async (code) => {
      const room = new ScriptedRoom();
      await room.live();
      room.store.setValue('small', 1);
      for (let time = 0; time < 20; time += 1) {
        expect(room.sent()).toMatchObject([{ type: time < 4 ? 'push' : 'part', number: 1 }]);
        room.receive({ type: 'error', code, message: 'Say hello.' });
        room.close();
        await again(room);
        expect(room.refusals).toEqual([]);
      }
    },
  );

  test('[PART-5] that the room asks for again are sent again without end, also if it was asked for a sign of life before', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('large', 'x'.repeat(5000));
    for (let time = 0; time < 20; time += 1) {
      expect(room.sent()).toMatchObject(Array.from({ length: 4 }, () => ({ type: 'part' })));
      room.session.networkChanged();
      expect(room.sent()).toMatchObject([{ type: 'check' }]);
      room.receive({ type: 'error', code: 'overloaded', message: 'Say hello.' });
      await room.time.pass(24 * SECOND);
      room.welcome({ generation: room.hello().generation });
      expect(room.refusals).toEqual([]);
    }
  });

  test('[PART-6] that become empty are sent whole: a user who may only read was refused the first part for ever', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('small', 1);
    for (let time = 0; time < 4; time += 1) {
      expect(room.pushes()).toHaveLength(1);
      room.close();
      room.open();
      room.welcome({ generation: room.hello().generation });
    }
    await room.time.pass(3 * SECOND);
    expect(room.sent()).toMatchObject([{ type: 'part', number: 1 }]);
    room.receive({ type: 'error', code: 'forbidden', message: 'Read only.', push: 1 });
    await room.time.pass(3 * SECOND);
    expect(room.pushes()).toEqual([[1, [{}, {}]]]);
  });

  test('[PART-6] that are swallowed again and again become local-only in the end, also while others edit', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('small', 1);
    let version = 1;
    let hellos = 0;
    for (let second = 0; second < 600 && room.refusals.length === 0; second += 1) {
      for (const message of room.sent()) {
        const cursor = { epoch: 'e', version };
        if (message?.type === 'check') room.receive({ type: 'pong', version, lastPush: 0 });
        if (message?.type !== 'hello') continue;
        hellos += 1;
        room.welcome({ generation: message.generation, cursor });
      }
      if (room.session.sync.phase === 'live') room.commit(++version, [{}, { others: version }]);
      await room.time.pass(SECOND);
    }
    expect(hellos).toBe(12);
    expect(room.refusals).toMatchObject([{ valueId: 'small', reason: 'undelivered' }]);
  });

  test('[PART-6] are sent whole while each connection brings some of them to the room, however often they end', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (let number = 1; number <= 20; number += 1) room.store.setValue('v', number);
    for (let first = 1; first <= 20; first += 1) {
      expect(room.pushes()).toHaveLength(21 - first);
      room.close();
      room.open();
      const cursor = { epoch: 'e', version: 1 + first };
      room.welcome({ generation: room.hello().generation, lastPush: first, cursor });
    }
  });

  test('[PART-6] that wait for an answer when this side connects again are sent whole the next time that something is lost', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (let time = 1; time <= 10; time += 1) {
      room.store.setValue('v', time);
      expect(room.pushes().map(([number]) => number)).toEqual([time]);
      room.close();
      room.open();
      room.welcome({
        generation: room.hello().generation,
        lastPush: time - 1,
        cursor: { epoch: 'e', version: time },
      });
      expect(room.pushes().map(([number]) => number)).toEqual([time]);
      room.ack(time, time + 1);
    }
  });

  test('[PART-2] in parts are not sent again because a second ping went before the pong of the first', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('large', 'x'.repeat(9000));
    expect(room.sent()).toHaveLength(4);
    room.session.networkChanged();
    for (const offset of [250, 500, 750, 1000])
      room.receive({ type: 'receipt', number: 1, offset });
    room.session.networkChanged();
    expect(room.sent().map((message) => message?.type)).toEqual([
      'check',
      'part',
      'part',
      'part',
      'part',
      'check',
    ]);
    room.receive({ type: 'pong', version: 1, lastPush: 0 });
    await room.time.pass(0);
    expect(room.sent()).toEqual([]);
    expect(room.session.sync.phase).toBe('live');
  });

  test.each([
    ['none of them', [], 'hello'],
    ['some of them', [250, 500], 'hello'],
    ['all of them', [250, 500, 750, 1000], undefined],
  ] as const)(
    '[PART-2] [ORDER-7] in parts, with receipts for %s when the pong comes: %s, %s',
    async (_which, receipts, answer) => {
      const room = new ScriptedRoom();
      await room.live();
      room.store.setValue('large', 'x'.repeat(9000));
      expect(room.sent()).toHaveLength(4);
      await room.time.pass(25 * SECOND);
      expect(room.sent()).toMatchObject([{ type: 'check' }]);
      for (const offset of receipts) room.receive({ type: 'receipt', number: 1, offset });
      expect(room.sent()).toHaveLength(receipts.length);
      room.receive({ type: 'pong', version: 1, lastPush: 0 });
      await room.time.pass(0);
      expect(room.sent()[0]?.type).toBe(answer);
    },
  );

  test.each([
    ['too-large', 'too-large', 1],
    ['malformed', 'malformed', 1],
    ['forbidden', 'access', 0],
  ] as const)(
    '[PART-3] [ONCE-8] in parts that the room answers with %s go again, empty, and are reported as %s; %i stays local-only',
    async (code, reason, localOnly) => {
      const room = new ScriptedRoom();
      await room.live();
      room.store.setValue('large', 'x'.repeat(9000));
      room.store.setValue('b', 1);
      room.sent();
      room.receive({ type: 'error', code, message: 'm', push: 1 });
      expect(room.pushes()).toEqual([
        [1, [{}, {}]],
        [2, [{}, { b: 1 }]],
      ]);
      expect(room.refusals).toMatchObject([{ valueId: 'large', reason }]);
      expect(room.session.sync).toMatchObject({ phase: 'live', localOnly });
      expect(room.store.getValueIds()).toEqual(localOnly === 1 ? ['large', 'b'] : ['b']);
    },
  );

  test('[PART-3] of somebody who may only read show the room’s version, as soon as no transaction is open', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setCell('t', 'r', 'c', 'x'.repeat(9000));
    room.store.setValue('large', 'x'.repeat(9000));
    room.store.startTransaction();
    room.receive({ type: 'error', code: 'forbidden', message: 'm', push: 1 });
    expect(room.store.hasRow('t', 'r')).toBe(true);
    room.store.finishTransaction();
    await room.time.pass(SECOND);
    expect(room.store.hasTables()).toBe(false);
    expect(room.store.hasValue('large')).toBe(true);
    expect(room.session.sync.localOnly).toBe(0);
  });

  test('[PART-1] in parts keep the connection alive as long as the room answers', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('large', 'x'.repeat(9900));
    for (let offset = 250; offset < 9000; offset += 250) {
      await room.time.pass(20 * SECOND);
      room.receive({ type: 'receipt', number: 1, offset });
    }
    expect(room.reconnects).toBe(0);
    await room.time.pass(41 * SECOND);
    expect(room.reconnects).toBe(1);
  });

  test('[ONCE-7] over the limit that a welcome tells are not even tried', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('large', 'x'.repeat(20_000));
    expect(room.session.sync.unsaved).toBe(0);
    expect(room.refusals).toMatchObject([{ valueId: 'large', reason: 'too-large' }]);
    room.store.setValue('small', 1);
    expect(room.pushes()).toEqual([[1, [{}, { small: 1 }]]]);
  });

  test('[LIMIT-3] that the room has no space for become local-only, and no correction undoes them', async () => {
    const room = new ScriptedRoom();
    await room.live([{ t: { r: { a: 1, b: 1 } } }, {}]);
    room.store.setRow('t', 'r', { a: 2, c: 2 });
    room.store.setValue('after', 1);
    room.receive({
      type: 'ack',
      number: 1,
      version: 1,
      isCommit: false,
      correction: changesOf([{ t: { r: { a: 1, b: 1, c: '\uFFFC' } } }, {}]),
      reason: 'too-large',
    });
    room.ack(2, 2);
    expect(room.session.sync).toMatchObject({ unsaved: 0, localOnly: 3 });
    expect(room.refusals).toMatchObject([
      { cellId: 'a', cell: 2, reason: 'too-large' },
      { cellId: 'c', cell: 2, reason: 'too-large' },
      { cellId: 'b', cell: undefined, reason: 'too-large' },
    ]);
    expect(room.store.getContent()).toEqual([{ t: { r: { a: 2, c: 2 } } }, { after: 1 }]);
    room.commit(3, [{ t: { r: { a: 3 } } }, {}]);
    expect(room.store.getRow('t', 'r')).toEqual({ a: 3, c: 2 });
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

  test('do not pile up on the way', async () => {
    const room = new ScriptedRoom();
    await room.live();
    for (let n = 1; n <= 1100; n++) room.store.setValue('n', n);
    expect(room.pushes()).toHaveLength(1000);
    for (let n = 1; n <= 10; n++) room.ack(n, n + 1);
    expect(room.pushes().map(([number]) => number)).toEqual([
      1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010,
    ]);
  });
});

function utf8(text: string): number {
  return new TextEncoder().encode(text).length;
}
