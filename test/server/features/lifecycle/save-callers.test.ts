import { expect, test } from 'vitest';

import { TinyBasePartyKitError } from '../../../../src/protocol/errors.ts';
import { createEvents, procedure } from '../../../../src/server/features/events/index.ts';
import { AlarmStorage } from '../../../support/alarm-storage.ts';
import { Deferred } from '../../../support/deferred.ts';
import { settle, type FakeConnection } from '../../../support/fake-connection.ts';
import { LifecycleWorld } from '../../../support/lifecycle-world.ts';

type Caller = FakeConnection & { id: string };

/** A room with procedures and a disk that a test holds back, and the names of the callers of each of its saves. */
class CalledRoom {
  readonly saves: unknown[] = [];
  readonly pauses: Deferred<void>[] = [];
  isHeld = false;
  isFailing = false;
  readonly #held: (() => void)[] = [];
  readonly world: LifecycleWorld;

  constructor() {
    const storage = new AlarmStorage({
      defer: (run) => {
        if (this.isHeld) this.#held.push(run);
        else run();
      },
    });
    const onStorageUpdated = ({
      version,
      callers,
    }: {
      version: number;
      callers: readonly unknown[];
    }): void => {
      this.saves.push([version, callers.map((caller) => (caller as Partial<Caller>).id ?? caller)]);
      if (this.isFailing) throw new Error('The database is down.');
    };
    this.world = new LifecycleWorld({ onStorageUpdated }, {}, storage);
    createEvents(
      this.world.host.room as never,
      {
        set: procedure.handle(() => this.set()),
        throwing: procedure.handle(() => {
          this.set();
          throw new TinyBasePartyKitError('forbidden', 'no');
        }),
        slow: procedure.handle(async () => {
          this.set();
          const pause = new Deferred<void>();
          this.pauses.push(pause);
          await pause.promise;
          this.set();
        }),
      } as never,
    );
  }

  /** Makes a commit of the room’s own code. */
  set(): void {
    this.world.host.room.store.setValue('v', Math.random());
  }

  async join(id: string): Promise<Caller> {
    return Object.assign(await this.world.host.join(id), { id });
  }

  async call(caller: Caller, name: string): Promise<void> {
    await caller.say(`v["${name}"]`);
  }

  async letGo(): Promise<void> {
    this.isHeld = false;
    for (const run of this.#held.splice(0)) run();
    await settle();
  }

  /** The saves until now: the version of each, and its callers. */
  async takeSaves(): Promise<unknown[]> {
    await this.world.pass(2_500);
    return this.saves.splice(0);
  }
}

const begin = async (): Promise<{ room: CalledRoom; ada: Caller; bob: Caller }> => {
  const room = new CalledRoom();
  await room.world.start();
  await room.world.host.seed({ v: 0 });
  const [ada, bob] = [await room.join('ada'), await room.join('bob')];
  expect(await room.takeSaves()).toEqual([[1, ['request']]]);
  return { room, ada, bob };
};

test('[EVENT-8] what a procedure changes names its caller, also if it throws then', async () => {
  const { room, ada, bob } = await begin();
  await room.call(ada, 'set');
  expect(await room.takeSaves()).toEqual([[2, ['ada']]]);
  await room.call(bob, 'throwing');
  expect(await room.takeSaves()).toEqual([[3, ['bob']]]);
  room.set();
  expect(await room.takeSaves()).toEqual([[4, []]]);
  await ada.push(1, { v: 1 });
  await room.call(bob, 'set');
  await room.call(ada, 'set');
  expect(await room.takeSaves()).toEqual([[7, ['ada', 'bob']]]);
});

test('[EVENT-8] an async procedure names its caller until it ends, and not for what another one does at once', async () => {
  const { room, ada, bob } = await begin();
  await room.call(ada, 'slow');
  expect(await room.takeSaves()).toEqual([[2, ['ada']]]);
  await room.call(bob, 'set');
  expect(await room.takeSaves()).toEqual([[3, ['bob']]]);
  room.pauses[0]?.resolve();
  await settle();
  expect(await room.takeSaves()).toEqual([[4, ['ada']]]);
  room.set();
  expect(await room.takeSaves()).toEqual([[5, []]]);
});

test('[EVENT-8] a procedure that never ends names its caller until its time is up', async () => {
  const { room, ada } = await begin();
  await room.call(ada, 'slow');
  await room.world.pass(10_000);
  room.saves.length = 0;
  room.set();
  expect(await room.takeSaves()).toEqual([[3, []]]);
});

test('[SAVE-2] a save names those whose changes it has, and the next one those that came meanwhile', async () => {
  const { room, ada, bob } = await begin();
  room.isHeld = true;
  void ada.push(1, { v: 1 });
  await room.world.pass(2_500);
  // The save waits for the disk, with what Ada has changed.
  void bob.push(1, { v: 2 });
  await settle();
  expect(room.saves).toEqual([]);
  await room.letGo();
  expect(await room.takeSaves()).toEqual([
    [2, ['ada']],
    [3, ['bob']],
  ]);
});

test('[SAVE-2] [SAVE-3] a save that is called again names all callers since the last good one', async () => {
  const { room, ada, bob } = await begin();
  room.isFailing = true;
  await ada.push(1, { v: 1 });
  await room.world.pass(2_500);
  expect(room.saves.splice(0)[0]).toEqual([2, ['ada']]);
  await bob.push(1, { v: 2 });
  room.isFailing = false;
  await room.world.pass(10_000);
  expect(room.saves.at(-1)).toEqual([3, ['ada', 'bob']]);
});

test('[SAVE-2] who changed what was lost, or another history, is no caller', async () => {
  const { room, ada, bob } = await begin();
  room.world.storage.failWrites(1, { takesEffect: false });
  await ada.push(1, { v: 'lost' });
  await settle();
  await room.world.start();
  await bob.push(1, { v: 2 });
  room.set();
  const saves = await room.takeSaves();
  expect(saves.flatMap((save) => (save as unknown[])[1])).not.toContain('ada');
});
