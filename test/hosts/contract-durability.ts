import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Clients } from '../support/clients.ts';
import { fetchLeaves, storeOf, untilEqual } from '../support/content.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { until } from '../support/until.ts';
import type { HostName } from './hosts.ts';

/** Every host evicts a room whose sockets can hibernate once nothing has happened in it for 10 s. */
export const IDLE_MILLISECONDS = 11_500;

/** A host that runs while its tests do. */
export interface TestedHost {
  readonly name: HostName;
  readonly clients: Clients;
  readonly getHost: () => ServerProcess;
  /** What a path below a room is answered with. */
  readonly textOf: (room: string, path: string) => Promise<string>;
  /** A socket that says nothing by itself. */
  readonly openSocket: (room: string, id: string) => Promise<WebSocket>;
}

/** What of a room outlives a process, a crash and a sleep. */
export const testDurability = ({
  name,
  clients,
  getHost,
  textOf,
  openSocket,
}: TestedHost): void => {
  test('[PART-1] what is too large for a frame, a key or a value arrives and stays', async () => {
    const host = getHost();
    const here = { host: host.host, room: 'large' };
    const url = host.room(here.room, '/store');
    const one = await clients.open({ ...here, seed: [{}, {}] });
    const two = await clients.open(here);
    one.store.setValue('i'.repeat(3000), 'x'.repeat(200_000));
    one.store.transaction(() => {
      for (let row = 0; row < 2000; row++)
        one.store.setCell('many', `${row}`, 'text', `${row} `.padEnd(1024, 'x'));
    });
    one.store.setValue('after', true);
    await one.confirmed();
    const content = await untilEqual([one.store, two.store], url);
    expect(content.size).toBe(2002);
    await host.restart();
    expect(await fetchLeaves(url)).toEqual(content);
  });

  test('[DURABLE-1] what was confirmed is there after a kill -9, and clients go on', async () => {
    const host = getHost();
    const here = { host: host.host, room: 'killed' };
    const url = host.room(here.room, '/store');
    const one = await clients.open({ ...here, seed: [{}, { v: 0 }] });
    const two = await clients.open(here);
    for (let edit = 0; edit < 50; edit++) one.store.setCell('t', `${edit}`, 'c', edit);
    await one.confirmed();
    await host.kill9();
    two.store.setValue('while it was down', true);
    await host.restart();
    await two.confirmed();
    const content = await untilEqual([one.store, two.store], url);
    expect(content.size).toBe(52);
  });

  test('[DURABLE-5] a room sleeps, pings or not, and goes on where it was', async () => {
    const host = getHost();
    const here = { host: host.host, room: 'sleeping' };
    const url = host.room(here.room, '/store');
    const one = await clients.open({ ...here, seed: [{}, { v: 1 }] });
    const two = await clients.open(here);
    one.store.setValue('v', 2);
    await one.confirmed();
    await untilEqual([one.store, two.store], url);
    const life = await textOf(here.room, '/life');
    const stateful = new WebSocket(
      `${host.origin.replace('http', 'ws')}/parties/observing/sleeping?token=t`,
    );
    const states: string[] = [];
    stateful.on('message', (data: Buffer) => states.push(data.toString()));
    await once(stateful, 'open');
    // It never says hello: a stock client, of which the room keeps nothing but what the host does.
    const silent = await openSocket(here.room, 'silent');
    const heard: string[] = [];
    silent.on('message', (data: Buffer) => heard.push(data.toString()));
    const isPingAnswered = name !== 'partykit';
    for (let half = 0; half < 2; half++) {
      await wait(IDLE_MILLISECONDS / 2);
      if (isPingAnswered) silent.send('i[]');
    }
    await wait(500);
    expect(heard).toEqual(isPingAnswered ? ['o[]', 'o[]'] : []);
    stateful.send('count');
    await until('the state from before', () => states.length === 1);
    expect(JSON.parse(states[0] ?? '')).toEqual({ name: 't', count: 2 });
    two.store.setValue('v', 3);
    await two.confirmed();
    expect(await textOf(here.room, '/life'), 'who slept has lost its memory').not.toBe(life);
    await until('the silent one to hear', () => heard.includes('s[{},{"v":3},1]'));
    one.store.setCell('t', 'r', 'after', true);
    await one.confirmed();
    await untilEqual(
      [storeOf([{ t: { r: { after: true } } }, { v: 3 }]), one.store, two.store],
      url,
    );
  });
};
