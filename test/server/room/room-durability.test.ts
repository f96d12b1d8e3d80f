import { describe, expect, test } from 'vitest';

import { Deferred } from '../../support/deferred.ts';
import {
  clientId,
  type FakeConnection,
  FakeRoomHost,
  inShort,
  settle,
  type ChangesInShort,
  valueChanges,
} from '../../support/fake-connection.ts';
import { StrictStorage } from '../../support/strict-storage.ts';
import { entriesOf, type Written } from '../../support/written.ts';

type Options = ConstructorParameters<typeof FakeRoomHost>[0];

/** A storage whose calls wait until a test lets them happen. */
class SlowStorage {
  readonly storage: StrictStorage;
  #waiting: (() => void)[] = [];
  isSlow = false;

  constructor() {
    this.storage = new StrictStorage({
      defer: (run) => {
        if (this.isSlow) this.#waiting.push(run);
        else run();
      },
    });
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** The oldest call that waits takes effect. */
  async step(): Promise<void> {
    this.#waiting.shift()?.();
    await settle();
  }
}

const slow = async (options: Options = {}): Promise<{ host: FakeRoomHost; disk: SlowStorage }> => {
  const disk = new SlowStorage();
  const host = new FakeRoomHost(options, disk.storage);
  await host.seed({ open: true });
  return { host, disk };
};

describe('durable before visible', () => {
  test('[DURABLE-1] sends nothing of a push before it is on disk', async () => {
    const { host, disk } = await slow();
    const [ada, bob] = [await host.join('ada'), await host.join('bob')];
    const cursor = await host.cursor();
    disk.isSlow = true;
    await ada.push(1, { open: false });
    await ada.push(1, { open: false });
    await ada.ping();
    const cyd = host.connect();
    await cyd.hello({ clientId: clientId('cyd'), cursor });
    let answered: unknown;
    void host.content().then((content) => {
      answered = content;
    });
    void host.seed({ open: 1 }).then(() => {
      answered = 'seeded';
    });
    await settle();
    expect(host.room.store.getValue('open')).toBe(false);
    expect([ada.hear(), bob.hear(), cyd.hear(), answered]).toEqual([[], [], [], undefined]);
    await disk.step();
    expect(ada.hearTypes()).toEqual(['ack', 'ack', 'pong']);
    expect(bob.hearTypes()).toEqual(['commit']);
    expect(cyd.hearOne('welcome').cursor.version).toBe(2);
    expect(answered).toBe('seeded');
    expect(await host.content()).toEqual([{}, { open: false }]);
  });

  test('[DURABLE-1] asks no hook about what is not on disk', async () => {
    const olds: unknown[] = [];
    const { host, disk } = await slow({
      hooks: () => ({ canSetValue: (_id, _value, _isInitial, _origin, old) => olds.push(old) > 0 }),
    });
    olds.length = 0;
    const ada = await host.join('ada');
    disk.isSlow = true;
    host.room.store.setValue('open', 'server');
    await ada.push(1, { open: 'ada' });
    expect(olds).toEqual([]);
    await disk.step();
    expect(olds).toEqual(['server']);
  });

  test('[DURABLE-1] asks no hook about what the room did while a push waited for the disk', async () => {
    const olds: unknown[] = [];
    const { host, disk } = await slow({
      hooks: () => ({ canSetValue: (_id, _value, _isInitial, _origin, old) => olds.push(old) > 0 }),
    });
    olds.length = 0;
    const ada = await host.join('ada');
    disk.isSlow = true;
    host.room.store.setValue('open', 'first');
    await ada.push(1, { open: 'ada' });
    host.room.store.setValue('open', 'second');
    await disk.step();
    expect(olds).toEqual([]);
    await disk.step();
    expect(olds).toEqual(['second']);
  });

  test('[DURABLE-1] [DURABLE-2] hooks and GET wait for storage to take a row, and not for the disk', async () => {
    const syncs: (() => void)[] = [];
    const sync = (): Promise<void> => new Promise((resolve) => syncs.push(resolve));
    const asked: unknown[] = [];
    const hooks = { canSetValue: (id: string) => asked.push(id) > 0 };
    const host = new FakeRoomHost(
      { hooks: () => hooks },
      Object.assign(new StrictStorage(), { sync }),
    );
    void host.seed({ first: 1 });
    await settle();
    syncs.shift()?.();
    const ada = await host.join('ada');
    void ada.push(1, { second: 2 });
    await settle();
    expect(await host.content()).toEqual([{}, { first: 1, second: 2 }]);
    void ada.push(2, { third: 3 });
    await settle();
    expect(asked).toEqual(['first', 'second', 'third']);
    expect(ada.hear()).toEqual([]);
    for (let turn = 0; turn < 2; turn += 1) {
      syncs.shift()?.();
      await settle();
    }
    expect(ada.hearTypes()).toEqual(['ack', 'ack']);
    expect(await host.content()).toEqual([{}, { first: 1, second: 2, third: 3 }]);
  });

  test('[DURABLE-1] [ONCE-1] acks a push that made no commit when its number is on disk', async () => {
    const { host, disk } = await slow();
    const ada = await host.join('ada');
    disk.isSlow = true;
    await ada.push(1, { open: true });
    expect(ada.hear()).toEqual([]);
    await disk.step();
    expect(ada.hearOne('ack')).toMatchObject({ isCommit: false });
  });

  test("[DURABLE-1] tells the room's own code when what it did is on disk", async () => {
    const { host, disk } = await slow();
    disk.isSlow = true;
    host.room.store.setValue('open', 1);
    let isDurable = false;
    void host.room.whenDurable().then(() => {
      isDurable = true;
    });
    await settle();
    expect(isDurable).toBe(false);
    await disk.step();
    expect(isDurable).toBe(true);
    await host.room.whenDurable();
  });

  test('[DURABLE-1] loads the room first where its own code asks early', async () => {
    const host = new FakeRoomHost();
    await host.room.whenDurable();
    expect(host.errors).toEqual([]);
  });

  test('[DURABLE-2] writes a row for a lone commit at once, and one for all that come while it is written', async () => {
    const { host, disk } = await slow();
    const ada = await host.join('ada');
    disk.isSlow = true;
    const { puts } = disk.storage.counts;
    for (let number = 1; number <= 10; number += 1) await ada.push(number, { open: number });
    expect(disk.waiting).toBe(1);
    await disk.step();
    expect(ada.hear()).toMatchObject([{ number: 1 }]);
    expect(disk.waiting).toBe(1);
    await disk.step();
    expect(ada.hear()).toHaveLength(9);
    expect(disk.waiting).toBe(0);
    expect(disk.storage.counts.puts - puts).toBe(2);
  });
});

const failing = async (
  options: Options = {},
): Promise<{ host: FakeRoomHost; storage: StrictStorage }> => {
  const storage = new StrictStorage();
  const host = new FakeRoomHost(options, storage);
  await host.seed({ open: true });
  return { host, storage };
};

/** A room whose storage has failed twice, as a full one does. Ada is stopped, with her first push unconfirmed. */
const full = async () => {
  const { host, storage } = await failing();
  const [ada, bob] = [await host.join('ada'), await host.join('bob')];
  storage.failWrites(1e9, { takesEffect: false });
  await ada.push(1, { open: 'ada' });
  const cursor = { epoch: 'epoch1', version: 1 };
  const again = async (connection: FakeConnection, name: string, generation: number) => {
    connection.frames.length = 0;
    await connection.hello({ clientId: clientId(name), generation, cursor });
    expect(inShort(connection.hearOne('welcome').changes)).toEqual({ leaves: [] });
  };
  await again(ada, 'ada', 2);
  await ada.push(1, { open: 'ada' });
  await again(ada, 'ada', 3);
  await again(bob, 'bob', 3);
  const stock = host.connect();
  await stock.stock({});
  return { host, storage, ada, bob, stock, again };
};

describe('failed writes', () => {
  test("[DURABLE-3] tells the room's own code that what it did is lost", async () => {
    const { host, storage } = await failing();
    storage.failWrites(1, { takesEffect: false });
    host.room.store.setValue('open', 1);
    await expect(host.room.whenDurable()).rejects.toMatchObject({ code: 'unavailable' });
    await settle();
    await host.room.whenDurable();
    expect(host.room.store.getValue('open')).toBe(true);
  });

  test.each([false, true])(
    '[DURABLE-3] a failed write discards memory, and makes everybody say hello (it took effect: %s)',
    async (takesEffect) => {
      const { host, storage } = await failing();
      const [ada, bob, stock] = [await host.join('ada'), await host.join('bob'), host.connect()];
      const { store } = host.room;
      storage.failWrites(1, { takesEffect });
      await ada.push(1, { open: 'ada' });
      expect(ada.hearOne('error').code).toBe('stale');
      expect(bob.hearOne('error').code).toBe('stale');
      expect(stock.closed?.code).toBe(4503);
      expect(host.room.store).toBe(store);
      expect(store.getValue('open')).toBe(takesEffect ? 'ada' : true);
      await ada.push(2, { open: 'too early' });
      expect(ada.hear()).toEqual([]);
      await ada.hello({ generation: 2, cursor: { epoch: 'epoch1', version: 1 } });
      const welcome = ada.hearOne('welcome');
      expect(welcome.lastPush).toBe(takesEffect ? 1 : 0);
      expect(inShort(welcome.changes)).toEqual({ leaves: takesEffect ? [['open', 'ada']] : [] });
      await ada.push(1, { open: 'ada' });
      expect(ada.hearOne('ack').isCommit).toBe(!takesEffect);
      expect(await host.content()).toEqual([{}, { open: 'ada' }]);
    },
  );

  test('[DURABLE-3] reports the server’s own transactions that are lost, and no others', async () => {
    const { host, storage } = await failing();
    const ada = await host.join('ada');
    storage.failWrites(1, { takesEffect: false });
    host.room.store.setValue('server', 'a secret');
    host.room.store.setValue('x'.repeat(1_000), 1);
    host.room.store.transaction(() => {
      for (let row = 0; row < 1_000; row++) host.room.store.setCell('t', `${row}`, 'c', 'secret');
    });
    void ada.push(1, { open: 'ada' });
    await settle();
    expect(host.errors.map(({ where }) => where)).toEqual(['storage', 'storage']);
    const message = String(host.errors[1]?.error);
    expect(message).toContain('lost 3 transactions');
    expect(message).toContain('leaves changed: 1002, rows deleted: 0');
    expect(message).toContain('["server"]');
    expect(message).toContain('["t","17","c"] and 982 more');
    expect(message).not.toContain('secret');
    expect(message.length).toBeLessThan(1_000);
    expect(host.room.store.getContent()).toEqual([{}, { open: true }]);
  });

  test('[DURABLE-3] refuses what waits over HTTP', async () => {
    const { host, storage } = await failing();
    storage.failWrites(1, { takesEffect: false });
    host.room.store.setValue('server', 1);
    await expect(host.room.content()).rejects.toMatchObject({ code: 'unavailable' });
    expect(await host.content()).toEqual([{}, { open: true }]);
  });

  test('[DURABLE-3] initial content that could not be written is no content', async () => {
    const storage = new StrictStorage();
    const host = new FakeRoomHost(
      { prepareStore: (store) => store.setValue('prepared', 1) },
      storage,
    );
    await host.room.start();
    storage.failWrites(1, { takesEffect: false });
    await expect(host.seed({ open: true })).rejects.toMatchObject({ code: 'unavailable' });
    expect(await host.content()).toBeUndefined();
    expect(host.room.store.getContent()).toEqual([{}, { prepared: 1 }]);
    expect(await host.seed({ open: false })).toBe('created');
    expect(await host.content()).toEqual([{}, { prepared: 1, open: false }]);
  });

  test('[DURABLE-3] drops a push whose hooks run while a write fails', async () => {
    const answer = new Deferred<boolean>();
    const { host, storage } = await failing({
      hooks: () => ({
        canSetCell: () => answer.promise,
      }),
    });
    const ada = await host.join('ada');
    await ada.push(1, { t: { r: { c: 1 } } });
    storage.failWrites(1, { takesEffect: false });
    host.room.store.setValue('server', 1);
    await settle();
    answer.resolve(true);
    await settle();
    expect(ada.hear()).toMatchObject([{ type: 'error', code: 'stale' }]);
    expect(await host.content()).toEqual([{}, { open: true }]);
  });

  describe('a storage that takes no more writes', () => {
    test('[DURABLE-3] refuses a push to its author alone, and everybody can read', async () => {
      const { host, storage, ada, bob, stock } = await full();
      const before = storage.counts.puts;
      await ada.push(1, { open: 'ada' });
      expect(ada.hearOne('error')).toMatchObject({ code: 'overloaded' });
      const json = JSON.stringify([{}, { open: 'long' }]);
      await bob.say(`m${JSON.stringify([1, 0, json.length + 20, json.slice(0, 9)])}`);
      expect(bob.hearOne('error').code).toBe('overloaded');
      await stock.stock({ open: 'stock' });
      expect(stock.closed?.code).toBe(4429);
      expect(ada.hear()).toEqual([]);
      expect(storage.counts.puts).toBe(before);
      expect(host.room.store.getContent()).toEqual([{}, { open: true }]);
      expect(await host.content()).toEqual([{}, { open: true }]);
      expect((await host.join('cleo')).closed).toBeUndefined();
      // A user who gets an earlier ack again needs no write.
      const dora = await host.join('dora', { nextPush: 5 });
      await dora.push(4, { open: 'dora' });
      expect(dora.hearOne('ack')).toMatchObject({ number: 4, isCommit: false });
    });

    test('[DURABLE-3] refuses the same author again at once: events go on, and it would take itself for live', async () => {
      const { host, ada, again } = await full();
      await ada.push(1, { open: 'ada' });
      expect(ada.hearOne('error')).toMatchObject({ code: 'overloaded' });
      await again(ada, 'ada', 4);
      ada.hear();
      await ada.push(1, { open: 'ada' });
      expect(ada.hearOne('error')).toMatchObject({ code: 'overloaded' });
      expect(await host.content()).toEqual([{}, { open: true }]);
    });

    test('[DURABLE-3] tells the app twice, tries again after pauses that grow to 30 s, and works as soon as storage does', async () => {
      const { host, storage, ada, bob, again } = await full();
      expect(host.errors.map(({ error }) => String(error))).toEqual([
        expect.stringContaining('cannot be written'),
        expect.stringContaining('fails again and again'),
      ]);
      let generation = 3;
      const codeOfPush = async (): Promise<unknown> => {
        generation += 1;
        await again(ada, 'ada', generation);
        await again(bob, 'bob', generation);
        await ada.push(1, { open: 'ada' });
        const [answer] = ada.hear();
        const isAlone = bob.hear().length === 0;
        return [answer?.type === 'error' ? answer.code : answer?.type, isAlone];
      };
      for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
        await host.pass(seconds * 1_000 - 100);
        expect(await codeOfPush()).toEqual(['overloaded', true]);
        await host.pass(100);
        expect(await codeOfPush()).toEqual(['stale', false]);
      }
      expect(host.errors).toHaveLength(2);
      storage.failWrites(0, { takesEffect: false });
      await host.pass(30_000);
      expect(await codeOfPush()).toEqual(['ack', false]);
      await ada.push(2, { open: 'again' });
      expect(ada.hearOne('ack').isCommit).toBe(true);
      // One failure is reported, and does not stop anybody for long.
      storage.failWrites(1, { takesEffect: false });
      await ada.push(3, { open: 'lost' });
      expect(host.errors).toHaveLength(3);
      const cursor = await host.cursor();
      ada.frames.length = 0;
      await ada.hello({ clientId: clientId('ada'), generation: 99, cursor });
      ada.hearOne('welcome');
      await ada.push(3, { open: 'not lost' });
      expect(ada.hearOne('ack').isCommit).toBe(true);
    });

    test("[DURABLE-3] takes pushes at once when an edit of the room's own code was stored", async () => {
      const { host, storage, ada } = await full();
      for (const text of ['lost', 'lost too']) {
        host.room.store.setValue('own', text);
        await settle();
      }
      storage.failWrites(0, { takesEffect: false });
      host.room.store.setValue('own', 'stored');
      await settle();
      ada.frames.length = 0;
      await ada.hello({ clientId: clientId('ada'), generation: 9, cursor: await host.cursor() });
      ada.hearOne('welcome');
      await ada.push(1, { open: 'ada' });
      expect(ada.hearOne('ack')).toMatchObject({ number: 1, isCommit: true });
      expect(await host.content()).toEqual([{}, { open: 'ada', own: 'stored' }]);
    });

    test.each(['wipe', 'restore'])(
      '[DURABLE-3] takes pushes at once after a %s that was stored',
      async (how) => {
        const { host, storage, ada } = await full();
        const document = await host.room.exportRoom();
        storage.failWrites(0, { takesEffect: false });
        if (how === 'wipe') await host.room.wipe();
        else await host.room.restoreRoom(document);
        ada.frames.length = 0;
        await ada.hello({ generation: 9, cursor: await host.cursor() });
        ada.hearOne('welcome');
        await ada.push(1, { open: 'ada' });
        expect(ada.hear()).not.toContainEqual(expect.objectContaining({ type: 'error' }));
        expect(await host.content()).toEqual([{}, { open: 'ada' }]);
      },
    );

    test('[DURABLE-3] refuses initial content without trying to store it', async () => {
      const storage = new StrictStorage();
      const host = new FakeRoomHost({}, storage);
      storage.failWrites(1e9, { takesEffect: false });
      for (const isTried of [true, true, false, false]) {
        const before = storage.counts.puts;
        await expect(host.seed({ open: true })).rejects.toMatchObject({ code: 'unavailable' });
        expect(storage.counts.puts > before).toBe(isTried);
      }
      storage.failWrites(0, { takesEffect: false });
      await host.pass(1_000);
      expect(await host.seed({ open: true })).toBe('created');
    });
  });

  test('answers unavailable while storage cannot be read, and loads again at the next call', async () => {
    const storage = new StrictStorage();
    let isBroken = true;
    const host = new FakeRoomHost(
      {},
      {
        get: (keys) => (isBroken ? Promise.reject(new Error('broken')) : storage.get(keys)),
        list: (options) => storage.list(options),
        put: (written: Written, value?: unknown) => storage.put(entriesOf(written, value)),
        delete: (keys) => storage.delete(keys),
      },
    );
    const [ada, stock] = [host.connect(), host.connect()];
    await ada.hello();
    expect(ada.hearOne('error').code).toBe('unavailable');
    await stock.say('app message');
    expect(stock.closed).toBeUndefined();
    await stock.stock({ x: 1 });
    expect(stock.closed?.code).toBe(4503);
    await expect(host.room.start()).rejects.toMatchObject({ code: 'unavailable' });
    await expect(host.room.content()).rejects.toMatchObject({ code: 'unavailable' });
    await expect(host.seed({ x: 1 })).rejects.toMatchObject({ code: 'unavailable' });
    expect(host.errors.every(({ where }) => where === 'storage')).toBe(true);
    isBroken = false;
    await ada.hello();
    expect(ada.hearTypes()).toEqual(['welcome']);
    expect(await host.seed({ x: 1 })).toBe('created');
  });
});

describe('hibernation', () => {
  test('[DURABLE-5] a room whose memory is lost goes on where it was, with connections that are live still', async () => {
    const host = new FakeRoomHost();
    await host.seed({ open: true });
    const [ada, bob] = host.hibernate(await host.join('ada'), await host.join('bob'));
    await ada?.push(1, { open: 1 });
    expect(ada?.hearOne('ack')).toMatchObject({ number: 1, version: 2 });
    expect(bob?.hearOne('commit').version).toBe(2);
    const [again] = ada === undefined ? [] : host.hibernate(ada);
    await again?.ping();
    expect(again?.hearOne('pong')).toMatchObject({ version: 2, lastPush: 1 });
    host.room.store.setValue('open', 'server');
    await settle();
    expect(again?.hearOne('commit').version).toBe(3);
  });

  test('[DURABLE-5] keeps what a connection lost: one that has to load stays so', async () => {
    const host = new FakeRoomHost();
    await host.seed({ open: true });
    const loading = host.connect();
    await loading.hello();
    const [woken] = host.hibernate(loading);
    await woken?.push(1, { open: 1 });
    expect(woken?.hear()).toEqual([]);
    expect((await host.cursor()).version).toBe(1);
  });
});

describe('checkpoints', () => {
  test('writes them while edits go on, and loses none', async () => {
    const storage = new StrictStorage();
    const host = new FakeRoomHost({}, storage);
    await host.seed({ open: true });
    const ada = await host.join('ada');
    const text = 'x'.repeat(2000);
    for (let number = 1; number <= 400; number += 1)
      void ada.push(number, { [`value ${number % 100}`]: `${number}${text}` });
    await settle();
    await host.room.content();
    const acks = ada.hear();
    expect(acks).toHaveLength(400);
    // A checkpoint leaves the room time to do other things.
    for (let turn = 0; turn < 100 && storage.counts.keysDeleted === 0; turn += 1)
      await host.pass(20);
    expect(storage.counts.keysDeleted).toBeGreaterThan(0);
    const content = await host.content();
    host.hibernate(ada);
    expect(await host.content()).toEqual(content);
    expect((await host.cursor()).version).toBe(401);
    expect(host.errors).toEqual([]);
  });

  test('writes them after a write failed that came before one', async () => {
    const storage = new StrictStorage();
    const storageSizes = { page: 40, slice: 60, smallestCheckpoint: 200, smallestRetention: 150 };
    const host = new FakeRoomHost({ storageSizes: () => storageSizes }, storage);
    await host.seed({ open: true });
    storage.failWrites(1, { takesEffect: false, spared: 1 });
    host.room.store.setValue('long', 'x'.repeat(300));
    await Promise.resolve();
    await Promise.resolve();
    // While a checkpoint is due, and this row goes before it.
    host.room.store.setValue('lost', true);
    await settle();
    expect(host.errors.map(({ where }) => where)).toContain('storage');
    const { keysDeleted } = storage.counts;
    for (let turn = 0; turn < 20; turn += 1) {
      host.room.store.setValue('long', `${turn}${'x'.repeat(100)}`);
      await host.pass(20);
    }
    expect(storage.counts.keysDeleted).toBeGreaterThan(keysDeleted + 10);
    expect(storage.size).toBeLessThan(10);
  });

  test('does not take what an open transaction has done so far for content', async () => {
    const host = new FakeRoomHost();
    await host.seed({ open: true });
    const text = 'x'.repeat(1000);
    for (let turn = 0; turn < 500; turn += 1) host.room.store.setValue('long', `${turn}${text}`);
    host.room.store.startTransaction();
    host.room.store.setValue('open', 'never');
    await settle();
    host.room.store.finishTransaction(() => true);
    await settle();
    host.hibernate();
    expect(await host.content()).toEqual([{}, { open: true, long: `499${text}` }]);
  });
});

describe('the initial content', () => {
  const content: ChangesInShort = { pets: { fido: { species: 'dog' } }, open: true };

  test('[SEED-1] a room without a Store takes a seed as version 1, and no other after it', async () => {
    const host = new FakeRoomHost();
    expect(await host.content()).toBeUndefined();
    expect((await host.cursor()).version).toBe(0);
    expect(await Promise.all([host.seed(content), host.seed({ other: 1 })])).toEqual([
      'created',
      'exists',
    ]);
    expect(await host.cursor()).toEqual({ epoch: 'epoch1', version: 1 });
    expect(await host.content()).toEqual([{ pets: { fido: { species: 'dog' } } }, { open: true }]);
    host.hibernate();
    expect(await host.seed({ other: 1 })).toBe('exists');
    expect(await host.cursor()).toEqual({ epoch: 'epoch1', version: 1 });
  });

  test('[SEED-1] asks no hook about a seed that comes too late', async () => {
    let asked = 0;
    const host = new FakeRoomHost({ hooks: () => ({ canSetValue: () => (asked += 1) > 0 }) });
    expect([await host.seed({ first: 1 }), await host.seed({ second: 1 })]).toEqual([
      'created',
      'exists',
    ]);
    expect(asked).toBe(1);
  });

  test('[SEED-1] an empty seed makes an empty Store', async () => {
    const host = new FakeRoomHost();
    expect(await host.seed({})).toBe('created');
    expect(await host.content()).toEqual([{}, {}]);
  });

  test('[SEED-1] a seed all of which is refused leaves the room without a Store', async () => {
    const host = new FakeRoomHost({
      hooks: () => ({ canSetValue: () => false, canSetTable: () => false }),
    });
    expect(await host.seed(content)).toBe('created');
    expect(await host.content()).toBeUndefined();
    expect(await host.seed({})).toBe('created');
    expect(await host.content()).toEqual([{}, {}]);
  });

  test('[SEED-1] asks the hooks about a seed as such, with the request', async () => {
    const asked: unknown[] = [];
    const host = new FakeRoomHost({
      hooks: () => ({
        canSetTable: (...question) => asked.push(question) > 0,
        canSetValue: (...question) => asked.push(question) > 0 && false,
      }),
    });
    await host.seed(content);
    expect(asked).toEqual([
      ['pets', true, 'request'],
      ['open', true, true, 'request', undefined],
    ]);
    expect(await host.content()).toEqual([{ pets: { fido: { species: 'dog' } } }, {}]);
  });

  test('[SEED-1] a seed whose hooks are overtaken by a transaction of the server is refused', async () => {
    const answer = new Deferred<boolean>();
    const host = new FakeRoomHost({
      hooks: () => ({
        canSetValue: () => answer.promise,
      }),
    });
    const outcome = host.seed(content);
    await settle();
    host.room.store.setValue('server', 1);
    answer.resolve(true);
    expect(await outcome).toBe('exists');
    expect(await host.content()).toEqual([{}, { server: 1 }]);
  });

  test('[SEED-1] a hook that writes by afterInitialContent overtakes no seed', async () => {
    const host: FakeRoomHost = new FakeRoomHost({
      hooks: () => ({
        canSetTable: (table, isInitial) => {
          const write = (): void => void host.room.store.setCell('log', table, 'first', isInitial);
          host.room.afterInitialContent(write);
          return true;
        },
      }),
    });
    expect(await host.seed(content)).toBe('created');
    await settle();
    expect(await host.content()).toEqual([
      { pets: { fido: { species: 'dog' } }, log: { pets: { first: true } } },
      { open: true },
    ]);
  });

  test('[SEED-1] a transaction of the server is initial content, too', async () => {
    const host = new FakeRoomHost();
    await host.room.start();
    host.room.store.setValue('server', 1);
    expect(await host.content()).toEqual([{}, { server: 1 }]);
    expect((await host.cursor()).version).toBe(1);
    expect(await host.seed(content)).toBe('exists');
  });
});

test('[DURABLE-3] says what is wrong with a storage prefix that is too long', async () => {
  const host = new FakeRoomHost({ storagePrefix: () => 'x'.repeat(1_901) });
  await expect(host.room.start()).rejects.toMatchObject({ code: 'unavailable' });
  expect(host.errors).toMatchObject([
    {
      where: 'storage',
      error: { message: expect.stringContaining('1900 are possible') as unknown },
    },
  ]);
});

const prepareStore = (store: FakeRoomHost['room']['store']): void => {
  store.setValuesSchema({ open: { type: 'boolean' }, max: { type: 'number', default: 10 } });
};

describe('preparing the Store', () => {
  test('what it puts into a room without a Store waits for the initial content', async () => {
    const host = new FakeRoomHost({ prepareStore });
    expect(await host.content()).toBeUndefined();
    await host.seed({ open: true });
    expect(await host.content()).toEqual([{}, { open: true, max: 10 }]);
    expect((await host.cursor()).version).toBe(1);
  });

  test('[SEED-6] a push of just what it has put there is the initial content', async () => {
    const host = new FakeRoomHost({ prepareStore });
    const ada = await host.join('ada');
    await ada.push(1, { max: 'refused', other: 1 });
    // What it has put there is in no content yet.
    const nothing = valueChanges({ max: undefined, other: undefined });
    expect(ada.hearOne('ack')).toMatchObject({
      isCommit: false,
      reason: 'schema',
      correction: nothing,
    });
    await ada.push(2, { max: 10 });
    expect(ada.hearOne('welcome')).toMatchObject({ lastPush: 2, cursor: { version: 1 } });
    expect(await host.content()).toEqual([{}, { max: 10 }]);
  });

  test('what it makes of stored content is a commit, once', async () => {
    const storage = new StrictStorage();
    const before = new FakeRoomHost({}, storage);
    await before.seed({ open: true, gone: 1 });
    const host = new FakeRoomHost({ prepareStore }, storage);
    expect(await host.content()).toEqual([{}, { open: true, max: 10 }]);
    expect((await host.cursor()).version).toBe(2);
    host.hibernate();
    expect((await host.cursor()).version).toBe(2);
  });

  test('what the app does to the Store before it is loaded gives way to the content, and is a commit elsewhere', async () => {
    const storage = new StrictStorage();
    const before = new FakeRoomHost({}, storage);
    await before.seed({ open: false, gone: 1 });
    const host = new FakeRoomHost({}, storage);
    host.room.store.setValuesSchema({
      open: { type: 'boolean', default: true },
      early: { type: 'string' },
    });
    host.room.store.setValue('early', 'bird');
    expect(await host.content()).toEqual([{}, { open: false, early: 'bird' }]);
    expect((await host.cursor()).version).toBe(2);
  });

  test('content that a listener of the app does not let in is not taken for deleted', async () => {
    const storage = new StrictStorage();
    await new FakeRoomHost({}, storage).seed({ open: true });
    const host = new FakeRoomHost({}, storage);
    const listenerId = host.room.store.addValueListener(
      'open',
      () => {
        throw new Error('no');
      },
      true,
    );
    await expect(host.room.start()).rejects.toMatchObject({ code: 'unavailable' });
    host.room.store.delListener(listenerId);
    expect(await host.content()).toEqual([{}, { open: true }]);
    expect((await host.cursor()).version).toBe(1);
  });

  test('one that throws is reported, and keeps the room closed', async () => {
    let isBroken = true;
    const host = new FakeRoomHost({
      prepareStore: () => {
        if (isBroken) throw new Error('broken');
      },
    });
    await expect(host.room.content()).rejects.toMatchObject({ code: 'unavailable' });
    expect(host.errors).toMatchObject([{ where: 'prepare', error: { message: 'broken' } }]);
    isBroken = false;
    expect(await host.content()).toBeUndefined();
  });
});
