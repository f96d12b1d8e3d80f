import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { LastWords } from '../../../src/client/offline/last-words.ts';

const PREFIX = 'last:';
let entries: Record<string, string>;

beforeEach(() => {
  entries = {};
  // As localStorage is: its entries are its own properties.
  vi.stubGlobal(
    'localStorage',
    new Proxy(entries, {
      get: (target, key) =>
        ({
          getItem: (name: string) => target[name] ?? null,
          setItem: (name: string, text: string) => {
            target[name] = text;
          },
          removeItem: (name: string) => {
            delete target[name];
          },
        })[String(key)],
    }),
  );
});
afterEach(() => vi.unstubAllGlobals());

const write = (key: string, text: string, ...values: (string | undefined)[]) => ({
  guard: { key, values },
  remove: ['held'],
  set: new Map([['push', text]]),
});

const leftOf = (prefix = PREFIX): unknown =>
  new LastWords(prefix).left().map(({ guard, remove, set }) => [guard.key, remove, [...set]]);

test('[OFFLINE-13] what a page kept as it ended is there for the next one, once', () => {
  new LastWords(PREFIX).say(write('head', '1'));
  expect(leftOf()).toEqual([['head', ['held'], [['push', '1']]]]);
  expect(leftOf('other:')).toEqual([]);
  const { guard } = write('head', '1', undefined, 'value');
  new LastWords('new:').say({ ...write('head', '1'), guard });
  expect(new LastWords('new:').left()).toMatchObject([{ guard }]);
  delete entries['new:head'];
  for (const { forget } of new LastWords(PREFIX).left()) forget();
  expect([leftOf(), entries]).toEqual([[], {}]);
});

test('[OFFLINE-13] a page that comes back takes back what a later write has done, and nothing newer', () => {
  const words = new LastWords(PREFIX);
  words.say(write('head', '1'));
  const { count } = words;
  words.say(write('head', '2'));
  // A write that began between the two.
  words.takeBack(count);
  expect(leftOf()).toEqual([['head', ['held'], [['push', '2']]]]);
  expect(words.left()).toEqual([]);
  words.takeBack(words.count);
  expect(entries).toEqual({});
});

test('[OFFLINE-13] what a page says while another one does what it said before stays for the next one', () => {
  const words = new LastWords(PREFIX);
  words.say(write('head', '1'));
  const left = new LastWords(PREFIX).left();
  words.say(write('head', '2'));
  expect(left.map(({ isLeft }) => isLeft())).toEqual([false]);
  for (const { forget } of left) forget();
  expect(leftOf()).toEqual([['head', ['held'], [['push', '2']]]]);
});

test('[OFFLINE-7] what is damaged is left out, and where there is no storage, nothing is left', () => {
  entries[`${PREFIX}head`] = '[["held"],[["push"]]]';
  expect([leftOf(), entries]).toEqual([[], {}]);
  vi.stubGlobal('localStorage', undefined);
  expect(() => new LastWords(PREFIX).say(write('head', '1'))).toThrow();
  expect(leftOf()).toEqual([]);
});
