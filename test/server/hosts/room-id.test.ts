import { expect, test } from 'vitest';

import { RoomId } from '../../../src/server/hosts/room-id.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

const unknown = {
  get id(): string {
    throw new Error('The host does not know it.');
  },
};
const roomId = (host: { id: string; isIdDecoded?: boolean }, storage: StrictStorage): RoomId =>
  new RoomId(
    host,
    () => storage,
    () => 'app/',
  );
const nowhere = (): undefined => undefined;

test('[LIFE-6] it is what the host says, decoded once', () => {
  expect(roomId({ id: 'a%20b%2520' }, new StrictStorage()).read()).toBe('a b%20');
  expect(roomId({ id: 'a%20b', isIdDecoded: true }, new StrictStorage()).read()).toBe('a%20b');
});

test.each([
  'bo%61rd',
  '%62oard',
  'boar%64',
  'a%2Db',
  'a%2Eb',
  'a%5Fb',
  'a%7Eb',
  'a%30',
  'a%5A',
  'a%7A',
  '%c3%a9',
  '%C3%a9',
  '%cF%80',
  'a%2fb',
  'a%20bo%61rd',
])(
  '[LIFE-6] it is not decoded where nobody has to write it so, because %s is another room',
  (id) => {
    expect(roomId({ id }, new StrictStorage()).read()).toBe(id);
  },
);

test.each(['a:b@c', 'é/ü?#[]%7a', '%61', 'π ~-._', '"<>`{}|^\\'])(
  '[LIFE-6] it is decoded where it is as encoders write %s',
  (id) => {
    expect(roomId({ id: encodeURIComponent(id) }, new StrictStorage()).read()).toBe(id);
    const plain = id.replaceAll(/[%/?#\\]/gu, '');
    const segment = new URL(`http://host/${plain}`).pathname.slice(1);
    expect(roomId({ id: segment }, new StrictStorage()).read()).toBe(plain);
  },
);

test.each([
  ['http://host/parties/main/a%20b/store', 'a b'],
  ['http://host/party/a%20b?x=/parties/main/y', 'a b'],
])('[LIFE-6] it is what the URL %s says, where the host says nothing', async (url, id) => {
  const learned = roomId(unknown, new StrictStorage());
  await learned.learn(() => url);
  expect(learned.read()).toBe(id);
});

test('[LIFE-6] it is what was stored, in a life to which nothing tells it', async () => {
  const storage = new StrictStorage();
  await roomId({ id: 'a%20b' }, storage).store();
  const woken = roomId(unknown, storage);
  expect(() => woken.read()).toThrow('The host does not know it.');
  await woken.learn(nowhere);
  expect(woken.read()).toBe('a b');
});

test('[LIFE-6] it is stored once in a life, and again when storage was emptied', async () => {
  const storage = new StrictStorage();
  const id = roomId({ id: 'room' }, storage);
  const keys = async (): Promise<number> => (await storage.list({})).size;
  expect(await keys()).toBe(0);
  await id.store();
  expect(await keys()).toBe(1);
  const [key = ''] = (await storage.list({})).keys();
  await storage.delete([key]);
  await id.store();
  expect(await keys()).toBe(0);
  id.forgetStored();
  await id.store();
  expect(await keys()).toBe(1);
});

test('[LIFE-6] nothing tells it: the error is the host’s', async () => {
  const id = roomId(unknown, new StrictStorage());
  await id.learn(() => 'http://host/elsewhere');
  expect(() => id.read()).toThrow('The host does not know it.');
  expect(id.learn(nowhere), 'storage is asked once').toBeUndefined();
});
