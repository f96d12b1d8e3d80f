import { expect, test } from 'vitest';

import { RoomId } from '../../../src/server/hosts/room-id.ts';
import { StrictStorage } from '../../support/strict-storage.ts';

const unknown = {
  get id(): string {
    throw new Error('The host does not know it.');
  },
};
const roomId = (host: { id: string; isIdDecoded?: boolean }, storage: StrictStorage): RoomId =>
  new RoomId(host, storage, () => 'app/');
/** True in browsers, in Workers on Cloudflare, and in Node from 24 on. */
const IS_CARET_ENCODED = new URL('http://host/^').pathname === '/%5E';
const nowhere = (): undefined => undefined;

test('[LIFE-6] it is what the host says, decoded once', () => {
  expect(roomId({ id: 'a%20b%2F20' }, new StrictStorage()).read()).toBe('a b/20');
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
  ...Array.from(
    `!$&'()*+,;=:@[]|%${IS_CARET_ENCODED ? '' : '^'}`,
    (sign) => `a%${sign.charCodeAt(0).toString(16).toUpperCase()}b`,
  ),
  'a%20%3A',
  '100%25',
  'bo%2561rd',
  'bo%252561rd',
  'per%25cent',
  '100%',
  '%zz%20',
  '%FF%20',
])(
  '[LIFE-6] it is not decoded where nobody has to write it so, because %s is another room',
  (id) => {
    expect(roomId({ id }, new StrictStorage()).read()).toBe(id);
  },
);

test.each([
  'é/ü?#',
  'a b',
  '50 % of',
  'a/%61',
  'twice%20',
  '%2e',
  'π ~-._',
  '"<>`{}\\',
  '\u007f\n',
])('[LIFE-6] it is decoded where it is as everybody writes %s', (id) => {
  expect(roomId({ id: encodeURIComponent(id) }, new StrictStorage()).read()).toBe(id);
});

test.each(['a:b@c', 'é"ü[]', "!$&'()*+,;=:@[]|^", 'π ~-._', '"<>`{}|^'])(
  '[LIFE-6] it is %s where PartySocket was told so',
  (id) => {
    const segment = new URL(`http://host/${id}`).pathname.slice(1);
    expect(roomId({ id: segment }, new StrictStorage()).read()).toBe(id);
  },
);

test('[LIFE-6] no two segments have one id, where the host names rooms by the segment', () => {
  // Every spelling of each character, also within others.
  const characters = Array.from({ length: 0x80 }, (_, code) => String.fromCharCode(code));
  const spellings = ['é', '€', '😀', ...characters].flatMap((character) => {
    const bytes = [...new TextEncoder().encode(character)];
    const hex = bytes.map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
    const ends = '?#/\\'.includes(character);
    const parsed = ends ? '' : new URL(`http://host/${character}`).pathname.slice(1);
    return [parsed, hex.toUpperCase(), hex.toLowerCase()];
  });
  const segments = new Set(
    spellings.flatMap((spelling) =>
      [spelling, spelling.replaceAll('%', '%25')].flatMap((one) => [
        `a${one}`,
        `a%25${one}`,
        `a%${one}`,
      ]),
    ),
  );
  const ids = Array.from(segments, (id) => roomId({ id }, new StrictStorage()).read());
  expect(new Set(ids).size).toBe(segments.size);
});

test('[LIFE-6] a percent sign may be encoded over itself any number of times', () => {
  const levels = Array.from({ length: 30 }, (_, level) => `%${'25'.repeat(level)}20`);
  const ids = levels.map((id) => roomId({ id }, new StrictStorage()).read());
  expect(new Set(ids).size).toBe(levels.length);
  // Each level was decoded again, and one of so many characters took seconds.
  const long = `%${'25'.repeat(50_000)}`;
  expect(roomId({ id: long }, new StrictStorage()).read()).toBe(long);
});

test('[LIFE-6] a URL tells the same as the host would', async () => {
  for (const segment of ['a%20b', 'bo%61rd', 'a%3Ab', 'a:b', '100%25']) {
    const told = roomId(unknown, new StrictStorage());
    await told.learn(() => `http://host/parties/main/${segment}/store`);
    expect(told.read()).toBe(roomId({ id: segment }, new StrictStorage()).read());
  }
});

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
