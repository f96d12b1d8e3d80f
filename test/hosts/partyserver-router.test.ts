import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { Clients } from '../support/clients.ts';
import { untilEqual } from '../support/content.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { startHost } from './hosts.ts';

let host: ServerProcess;
const clients = new Clients();

beforeAll(async () => {
  host = await startHost('partyserver');
});
afterEach(() => clients.closeAll());
afterAll(() => host?.stop());

const allowedMethods = async (prefix: string): Promise<string | null> => {
  const url = `${host.origin}/${prefix}/main/room/store`;
  const { headers } = await fetch(url, { method: 'OPTIONS', headers: { Origin: 'http://page' } });
  return headers.get('Access-Control-Allow-Methods');
};

test("clients are equal through partyserver's own router", async () => {
  const here = { host: host.host, prefix: 'upstream', room: 'room' };
  const one = await clients.open({ ...here, seed: [{}, { v: 1 }] });
  const two = await clients.open(here);
  two.store.setValue('v', 2);
  await two.confirmed();
  await untilEqual([one.store, two.store], `${host.origin}/upstream/main/room/store`);
});

test('[LIFE-6] its own router does not decode ids, and two spellings are two rooms with two ids', async () => {
  const idOf = async (path: string): Promise<string> =>
    await (await fetch(`${host.origin}/${path}/id`)).text();
  const segments = ['a b', 'a%20b', 'a:b', 'a%3Ab', 'bo%61rd', 'a%2520b'];
  for (const segment of segments) {
    const { pathname } = new URL(`http://host/${segment}`);
    expect(await idOf(`upstream/main/${segment}`)).toBe(pathname.slice(1));
    expect(await idOf(`parties/main/${segment}`)).toBe(decodeURIComponent(segment));
  }
  const put = { method: 'PUT', body: '[{},{"v":1}]' };
  await fetch(`${host.origin}/upstream/main/a%3Ab/store`, put);
  const contentOf = async (path: string): Promise<string> =>
    await (await fetch(`${host.origin}/${path}/store`)).text();
  expect(await contentOf('upstream/main/a%3Ab')).toBe('[{},{"v":1}]');
  for (const path of ['upstream/main/a:b', 'parties/main/a:b', 'parties/main/a%3Ab'])
    expect(await contentOf(path)).toBe('');
});

test('a page of another origin may PUT by STORE_CORS, and not by its own default', async () => {
  expect(await allowedMethods('upstream')).toContain('PUT');
  expect(await allowedMethods('permissive')).not.toContain('PUT');
});

test('an answer through it still exposes the ETag', async () => {
  const { headers } = await fetch(`${host.origin}/upstream/main/other/store`);
  expect(headers.get('Access-Control-Expose-Headers')).toContain('ETag');
  expect(headers.get('ETag')).toMatch(/\.0"$/);
});
