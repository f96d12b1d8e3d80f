import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Ear } from '../support/ear.ts';
import { until } from '../support/until.ts';
import { IDLE_MILLISECONDS, type TestedHost } from './contract-durability.ts';

/** The seam for features: a feature of 40 lines that no file of the core knows, and a gate. */
export const testFeatures = ({ clients, getHost }: TestedHost): void => {
  test('[SEAM-1] [SEAM-4] a feature has frames, slots and requests of its own, also after a sleep', async () => {
    const host = getHost();
    const url = `${host.origin}/parties/echoing/room`;
    const heardBy = async (): Promise<unknown> => (await fetch(`${url}/echo`)).json();
    const here = { host: host.host, party: 'echoing', room: 'room' };
    const client = await clients.open({ ...here, seed: [{}, { v: 1 }] });
    const ear = new Ear(`${url.replace('http', 'ws')}?_pk=ear`);
    await once(ear.socket, 'open');
    ear.socket.send('x"one"');
    await until('the echo', () => ear.heard.includes('x[1,"one"]'));
    client.store.setValue('v', 2);
    await client.confirmed();
    expect(await heardBy()).toEqual({ admitted: 2, live: 1, left: 0, written: 2, by: 'push' });
    await client.close();
    await until('the client to have left', async () => {
      const { left } = (await heardBy()) as { left: number };
      return left === 1;
    });
    await wait(IDLE_MILLISECONDS);
    ear.socket.send('x"two"');
    await until('the second echo', () => ear.heard.includes('x[2,"two"]'));
    expect(await heardBy()).toEqual({ admitted: 0, live: 0, left: 0, written: 0, by: '' });
    ear.socket.close();
    await until('the socket to have left', async () => {
      const { left } = (await heardBy()) as { left: number };
      return left === 1;
    });
  });

  test('[SEAM-2] a gate lets nobody in before it has decided', async () => {
    const host = getHost();
    const url = `${host.origin}/parties/gated/room`;
    const open = (id: string, token: string): Ear =>
      new Ear(`${url.replace('http', 'ws')}?_pk=${id}&token=${token}`);
    const greet = async (): Promise<unknown> => (await fetch(`${url}/greet`)).json();
    const bad = open('bad', 'bad');
    const good = open('good', 'good');
    const reader = open('reader', 'reader');
    await Promise.all([once(good.socket, 'open'), once(reader.socket, 'open')]);
    await until('the refusal', () => bad.heard.length > 0);
    expect(bad.heard).toEqual(['e{"code":"unauthorized","message":"There is no good token."}']);
    await until('the gate', async () => ((await greet()) as string[]).length === 2);
    expect(await greet()).toEqual(expect.arrayContaining(['good', 'reader']));
    await until('the greeting', () => good.heard.length > 0 && reader.heard.length > 0);
    expect(bad.heard.slice(1)).toEqual([]);
    const put = async (token: string): Promise<number> =>
      (await fetch(`${url}/store?token=${token}`, { method: 'PUT', body: '[{},{"v":1}]' })).status;
    expect([await put('bad'), await put('reader'), await put('good')]).toEqual([401, 403, 201]);
    reader.socket.send('s[{},{"v":2},1]');
    await until('the correction', () => reader.heard.at(-1) === 's[{},{"v":1},1]');
    bad.socket.terminate();
    const later = open('later', 'later');
    await wait(IDLE_MILLISECONDS);
    reader.socket.send('s[{},{"v":3},1]');
    good.socket.send('s[{},{"v":4},1]');
    await until('the room to have woken', () => later.heard.at(-1) === 's[{},{"v":4},1]');
    expect(later.heard.includes('s[{},{"v":3},1]')).toBe(false);
    for (const { socket } of [good, reader, later]) socket.terminate();
  });
};
