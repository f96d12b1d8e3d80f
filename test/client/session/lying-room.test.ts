import { setImmediate as nextTurn } from 'node:timers/promises';

import { describe, expect, test } from 'vitest';

import type { Hello } from '../../../src/protocol/messages.ts';
import { contentOf, ScriptedRoom, SECOND } from './scripted-room.ts';

const CURSOR = { epoch: 'e', version: 1 };

/** Plays a room that answers each GET, and each hello as `answer` does. Counts what it is asked. */
class LyingRoom {
  readonly room: ScriptedRoom;
  requests = 0;
  answer: (room: ScriptedRoom, hello: Hello) => void;
  #hello: Hello | undefined;

  constructor(answer: LyingRoom['answer']) {
    this.room = new ScriptedRoom();
    this.answer = answer;
    this.room.open();
    void this.room.session.follow();
    void this.room.session.startSaving();
  }

  async pass(milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += 10) {
      // A room on the same machine needs less than a millisecond.
      for (let turns = 0; turns < 10 && (await this.#serve()); turns += 1);
      await this.room.time.pass(10);
    }
    await this.#serve();
  }

  /** The last hello. */
  get hello(): Hello {
    if (this.#hello === undefined) throw new Error('no hello');
    return this.#hello;
  }

  async #serve(): Promise<boolean> {
    const before = this.requests;
    for (const { answer } of this.room.gets.waiting.splice(0)) {
      this.requests += 1;
      answer({ cursor: CURSOR, content: contentOf([{}, { v: 1 }]) });
    }
    await nextTurn();
    for (const message of this.room.sent()) {
      if (message?.type !== 'hello') continue;
      this.requests += 1;
      this.#hello = message;
      this.answer(this.room, message);
    }
    await nextTurn();
    return this.requests > before;
  }
}

const welcome = (room: ScriptedRoom, { generation }: Hello): void =>
  room.welcome({ generation, cursor: CURSOR });
const reload = (room: ScriptedRoom, { generation }: Hello): void =>
  room.welcome({ generation, cursor: { epoch: 'e', version: 900 }, changes: undefined });
const stale = (room: ScriptedRoom): void =>
  room.receive({ type: 'error', code: 'stale', message: 'm' });
let edits = 0;

describe('[JOIN-10] a room that lets a client begin again and again is asked ever more slowly, and that is told:', () => {
  test.for<readonly [string, LyingRoom['answer']]>([
    ['reload', reload],
    [
      'welcome, reload',
      (room, hello) => {
        welcome(room, hello);
        reload(room, hello);
      },
    ],
    [
      'welcome, commit, reload',
      (room, hello) => {
        welcome(room, hello);
        room.commit(2, [{}, { w: 1 }]);
        reload(room, hello);
      },
    ],
    [
      'welcome, ack of an edit, reload',
      (room, hello) => {
        room.store.setValue('mine', (edits += 1));
        welcome(room, hello);
        room.ack(hello.nextPush, 2);
        reload(room, hello);
      },
    ],
    [
      'reload, and reload after each welcome',
      (room, hello) => {
        if (hello.generation % 2 === 0) welcome(room, hello);
        reload(room, hello);
      },
    ],
    [
      'welcome, stale, and reload in turn',
      (room, hello) => {
        if (hello.generation % 2 === 0) reload(room, hello);
        else {
          welcome(room, hello);
          stale(room);
        }
      },
    ],
    [
      'welcome, stale',
      (room, hello) => {
        welcome(room, hello);
        stale(room);
      },
    ],
    [
      'welcome, commit, stale',
      (room, hello) => {
        welcome(room, hello);
        room.commit(2, [{}, { w: 1 }]);
        stale(room);
      },
    ],
    [
      'welcome, commits with a gap',
      (room, hello) => {
        welcome(room, hello);
        room.commit(2, [{}, { w: 1 }]);
        room.commit(4, [{}, { w: 1 }]);
      },
    ],
    [
      'welcome, ack of nothing',
      (room, hello) => {
        welcome(room, hello);
        room.ack(hello.nextPush + 3, 2);
      },
    ],
    [
      'welcome that knows pushes which were never sent',
      (room, { generation, nextPush }) => {
        room.welcome({ generation, cursor: CURSOR, lastPush: nextPush + 7 });
      },
    ],
    [
      'welcome, no Store any more',
      (room, hello) => {
        welcome(room, hello);
        const { generation } = hello;
        room.welcome({ generation, cursor: { epoch: 'e', version: 0 }, changes: undefined });
      },
    ],
  ])('%s', async ([what, answer]) => {
    const lying = new LyingRoom(answer);
    await lying.pass(60 * SECOND);
    // GET and hello, each about ten times.
    expect(lying.requests).toBeLessThan(35);
    const told = lying.room.errors.filter((error) => String(error).includes('again and again'));
    // Once more, at most, if the client was live meanwhile.
    expect([1, 2]).toContain(told.length);
    // A cache is the first cause only if content that was loaded is too old.
    expect(told.every((error) => String(error).includes('cache'))).toBe(what.startsWith('reload'));
    // After a while of peace, all is as ever.
    lying.answer = welcome;
    await lying.pass(40 * SECOND);
    expect(lying.room.session.sync).toMatchObject({ phase: 'live', error: undefined });
    const { count } = lying.room.gets;
    reload(lying.room, lying.hello);
    expect(lying.room.gets.count).toBe(count + 1);
  });
});
