import { createMiddleware } from 'tinybase/middleware';
import { describe, expect, test } from 'vitest';

import { VALUES } from '../../../src/protocol/leaf.ts';
import type { RoomDocument } from '../../../src/protocol/room-handle.ts';
import { Deferred } from '../../support/deferred.ts';
import { clientId, FakeRoomHost, settle } from '../../support/fake-connection.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

const exported = async (host: FakeRoomHost): Promise<RoomDocument> => {
  const document = await host.room.exportRoom();
  if (document === undefined) throw new Error('The room has no Store.');
  return document;
};

const nested = (): unknown => {
  let content: unknown[] = [];
  for (let depth = 0; depth < 20_000; depth += 1) content = [content];
  return [{ t: { r: { c: content } } }, {}];
};

const refuse = (): never => {
  throw new Error('not here');
};

describe('a room as one document', () => {
  test('has its content, epoch and version, and survives JSON', async () => {
    const host = new FakeRoomHost();
    expect(await host.room.exportRoom()).toBeUndefined();
    await host.seed({ open: true });
    host.room.store.setCell('t', 'r', 'c', { deep: [1] });
    const document = await exported(host);
    expect(document).toEqual({
      format: 'tinybase-partykit room',
      formatVersion: 1,
      epoch: (await host.cursor()).epoch,
      version: 2,
      content: [{ t: { r: { c: '\uFFFD{"deep":[1]}' } } }, { open: true }],
    });
    const other = new FakeRoomHost();
    await other.room.restoreRoom(JSON.parse(JSON.stringify(document)));
    expect(await other.content()).toEqual(document.content);
    expect(other.room.store.getCell('t', 'r', 'c')).toEqual({ deep: [1] });
  });

  test('[JOIN-8] [JOIN-11] gives everybody the old content, keeps what is pending, and applies nothing twice', async () => {
    const host = new FakeRoomHost();
    await host.seed({ open: true });
    const document = await exported(host);
    const [ada, bob] = [await host.join('ada'), await host.join('bob')];
    const stock = host.connect();
    await stock.say('s[{},{"heard":1},1]');
    await ada.push(1, { open: false });
    const before = await host.cursor();
    ada.hear();
    bob.hear();
    await host.room.restoreRoom(document);
    expect(ada.hearOne('error').code).toBe('stale');
    expect(bob.hearOne('error').code).toBe('stale');
    expect(stock.closed?.code).toBe(4503);
    expect(await host.content()).toEqual([{}, { open: true }]);
    expect(host.room.store.getValues()).toEqual({ open: true });

    await ada.push(2, { late: 1 });
    expect(ada.hear()).toEqual([]);
    await ada.hello({ clientId: clientId('ada'), generation: 2, cursor: before });
    const welcome = ada.hearOne('welcome');
    expect(welcome.content?.get(VALUES, '', 'open')).toBe(true);
    expect(welcome.lastPush).toBe(1);
    expect(welcome.cursor.epoch).not.toBe(before.epoch);
    await ada.push(1, { open: false });
    expect(ada.hearOne('ack').isCommit).toBe(false);
    await ada.push(2, { late: 1 });
    expect(ada.hearOne('ack').isCommit).toBe(true);
    expect(await host.content()).toEqual([{}, { open: true, late: 1 }]);
  });

  test('[JOIN-8] closes a connection that is being verified meanwhile, which may be a stock peer that shows the old content', async () => {
    const host = new FakeRoomHost();
    await host.seed({ open: true });
    const document = await exported(host);
    const admitted = new Set<unknown>();
    const verifications: Deferred<void>[] = [];
    host.room.setGate({
      admit: async (connection) => {
        const verification = new Deferred<void>();
        verifications.push(verification);
        await verification.promise;
        admitted.add(connection);
      },
      admitRequest: async () => undefined,
      check: (connection) => (admitted.has(connection) ? 'admitted' : 'unknown'),
      mayWrite: () => true,
    });
    for (const replace of [() => host.room.restoreRoom(document), () => host.room.wipe()]) {
      const stock = host.connect();
      const isAdmitted = host.room.connected(stock, 'request');
      await replace();
      expect([stock.closed?.code, stock.frames]).toEqual([4503, []]);
      verifications.pop()?.resolve();
      expect(await isAdmitted).toBe(false);
    }
  });

  test('[JOIN-8] reports what the own code of the room does while it is restored, and loses it', async () => {
    const runs: (() => void)[] = [];
    let isSlow = false;
    const storage = new StrictStorage({
      defer: (run) => {
        if (isSlow) runs.push(run);
        else run();
      },
    });
    for (const isEmpty of [false, true]) {
      const source = new FakeRoomHost();
      await source.seed({ restored: true });
      const document = await exported(source);
      const host = new FakeRoomHost(
        {},
        storage.copy({ defer: (run) => (isSlow ? runs.push(run) : run()) }),
      );
      if (!isEmpty) await host.seed({ open: true });
      else await host.room.start();
      isSlow = true;
      const restored = host.room.restoreRoom(document);
      await settle();
      host.room.store.setValue('lost', 1);
      isSlow = false;
      for (const run of runs.splice(0)) run();
      await restored;
      expect(await host.content()).toEqual([{}, { restored: true }]);
      expect(host.room.store.getValues()).toEqual({ restored: true });
      expect(host.errors.map(({ error }) => String(error))).toEqual([
        expect.stringContaining('ids: ["lost"]'),
      ]);
    }
  });

  test.each([false, true])(
    '[DURABLE-3] is loaded again as it is on disk if a restore cannot be written (it took effect: %s)',
    async (takesEffect) => {
      const storage = new StrictStorage();
      const host = new FakeRoomHost({}, storage);
      await host.seed({ open: true });
      const document = await exported(host);
      host.room.store.setValue('open', false);
      await host.cursor();
      storage.failWrites(1, { takesEffect });
      await expect(host.room.restoreRoom(document)).rejects.toMatchObject({ code: 'unavailable' });
      expect(await host.content()).toEqual([{}, { open: takesEffect }]);
      expect(host.room.store.getValues()).toEqual({ open: takesEffect });
      host.room.store.setValue('after', 1);
      expect(await host.content()).toEqual([{}, { open: takesEffect, after: 1 }]);
    },
  );

  test('[DURABLE-3] is served, and can be exported, while no write succeeds', async () => {
    const storage = new StrictStorage();
    const host = new FakeRoomHost({}, storage);
    await host.seed({ open: true });
    const ada = await host.join('ada');
    storage.failWrites(1_000, { takesEffect: false });
    for (let generation = 2; generation < 5; generation += 1) {
      await ada.push(1, { open: false });
      // From the third push on, the room pauses.
      expect(ada.hearOne('error').code).toBe(generation < 4 ? 'stale' : 'overloaded');
      expect(await host.content()).toEqual([{}, { open: true }]);
      expect((await exported(host)).content).toEqual([{}, { open: true }]);
      await ada.hello({ clientId: clientId('ada'), generation, cursor: await host.cursor() });
      expect(ada.hearOne('welcome').changes).toBeDefined();
    }
    storage.failWrites(0, { takesEffect: false });
    await host.pass(1_000);
    await ada.push(1, { open: false });
    expect(ada.hearOne('ack').isCommit).toBe(true);
  });

  test.each<readonly [what: string, changed: Record<string, unknown> | string | undefined]>([
    ['it is a text: parse it first', '{}'],
    ['it is not an object', undefined],
    ['its format is not "tinybase-partykit room"', { format: 'room' }],
    ['its formatVersion has to be a whole number from 1 on', { formatVersion: undefined }],
    ['its formatVersion is 2, which needs a newer release', { formatVersion: 2 }],
    ['its version has to be a whole number from 1 to 281474976710656', { version: 0 }],
    ['its version has to be a whole number from 1 to', { version: Number.MAX_SAFE_INTEGER }],
    ['it has no content', { content: undefined }],
    ['its content is invalid (Invalid content', { content: [{ t: 1 }, {}] }],
    ['its content is invalid (Infinity is in it)', { content: [{}, { v: Infinity }] }],
    ['its content is invalid (a Map is in it', { content: [{ t: new Map([['r', {}]]) }, {}] }],
    ['its content is invalid (Do not know how to serialize a BigInt', { content: [{}, { v: 1n }] }],
    ['its content is invalid (', { content: nested() }],
  ])('is refused, and changes nothing: %s', async (what, changed) => {
    const host = new FakeRoomHost();
    await host.seed({ open: true });
    const document = await exported(host);
    const wrong = typeof changed === 'object' ? { ...document, ...changed } : changed;
    await expect(host.room.restoreRoom(wrong)).rejects.toMatchObject({
      code: 'malformed',
      message: expect.stringContaining(what) as unknown,
    });
    expect(await exported(host)).toEqual(document);
  });

  test.each(['listener', 'middleware'])(
    'is refused, and changes nothing, if a %s of the Store does not take its content',
    async (kind) => {
      const storage = new StrictStorage();
      const host = new FakeRoomHost(
        {
          prepareStore: (store) => {
            if (kind === 'listener') store.addRowListener('bad', null, refuse, true);
            else {
              const middleware = createMiddleware(store);
              middleware.addWillSetCellCallback((table, _row, _cell, cell) =>
                table === 'bad' ? refuse() : cell,
              );
            }
          },
        },
        storage,
      );
      await host.seed({ open: true });
      const ada = await host.join('ada');
      const document = await exported(host);
      const wrong = { ...document, content: [{ bad: { r: { c: 1 } } }, { open: false }] };
      await expect(host.room.restoreRoom(wrong)).rejects.toMatchObject({ code: 'malformed' });
      const { epoch, version } = await exported(host);
      expect([epoch, version]).toEqual([document.epoch, document.version]);
      // A middleware that throws at a new row leaves that row behind, as TinyBase has it: without any cell.
      expect(host.room.store.getCellIds('bad', 'r')).toEqual([]);
      expect(host.room.store.getValues()).toEqual({ open: true });
      ada.hear();
      await ada.hello({ clientId: clientId('ada'), generation: 2, cursor: await host.cursor() });
      expect(ada.hearOne('welcome').changes).toBeDefined();
      await host.room.restoreRoom({ ...document, content: [{}, { open: 'again' }] });
      expect(await new FakeRoomHost({}, storage.copy()).content()).toEqual([{}, { open: 'again' }]);
    },
  );

  test('leaves nothing of what it replaced on disk', async () => {
    const storage = new StrictStorage();
    const host = new FakeRoomHost({}, storage);
    await host.seed({ text: 'x'.repeat(300_000) });
    const document = await exported(host);
    const { size } = storage;
    for (let time = 0; time < 3; time += 1) await host.room.restoreRoom(document);
    expect(storage.size).toBe(size);
  });
});
