import { once } from 'node:events';

import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';

import { Clients } from '../support/clients.ts';
import { untilEqual } from '../support/content.ts';
import { startTestedParty } from '../support/pair.ts';
import type { Party } from '../support/party.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { until } from '../support/until.ts';
import { HostileInput } from './hostile-input.ts';

const FRAMES = Number(process.env['FUZZ_REAL_INPUTS'] ?? 1_000);
const ATTACKERS = 4;
const FLOOD_MESSAGES = 30_000;
const STATUSES = [200, 201, 202, 205, 400, 404, 405, 409, 413];

let party: Party;
const clients = new Clients();

beforeAll(async () => {
  party = await startTestedParty();
});
afterAll(async () => {
  await clients.closeAll();
  await party?.stop();
});

const connect = async (room: string): Promise<WebSocket> => {
  const socket = new WebSocket(`ws://${party.host}/parties/main/${room}`);
  socket.on('error', () => {});
  await once(socket, 'open');
  return socket;
};

/** 0 if the connection was reset: so workerd does where an answer needs none of the body. */
const statusOf = async (url: string, method: string, body?: BodyInit): Promise<number> => {
  try {
    const response = await fetch(url, { method, ...(body !== undefined && { body }) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
};

test(`a real room lives through ${FRAMES} hostile frames and requests, and nobody else notices`, async () => {
  const room = 'attacked';
  const where = { host: party.host, room };
  const random = seededRandom();
  const input = new HostileInput(random);
  const one = await clients.open({ ...where, seed: [{ good: { r: { c: 1 } } }, {}] });
  const two = await clients.open(where);
  const elsewhere = await clients.open({ ...where, room: 'elsewhere', seed: [{}, { v: 1 }] });
  const sockets: WebSocket[] = [];
  for (let index = 0; index < FRAMES; index++) {
    const slot = index % ATTACKERS;
    let socket = sockets[slot];
    if (socket === undefined || socket.readyState !== WebSocket.OPEN || index % 50 === slot) {
      socket?.terminate();
      socket = await connect(room);
      sockets[slot] = socket;
      if (slot > 0) socket.send(input.hello());
    }
    if (index % 5 === 0) {
      const { method, path, body } = input.request();
      expect([0, ...STATUSES], `SEED=${random.seed}`).toContain(
        await statusOf(party.room(room, path), method, body as BodyInit | undefined),
      );
    } else socket.send(input.frame(1 + (index % 3)));
    if (index % 100 === 99) {
      one.store.setValue('witnessed', index);
      await one.confirmed();
      await until(
        `SEED=${random.seed}: the other witness to see it`,
        () => two.store.getValue('witnessed') === index,
      );
    }
  }
  for (const socket of sockets) socket.terminate();
  await untilEqual([one.store, two.store], party.room(room, '/store'));
  expect(elsewhere.store.getContent()).toEqual([{}, { v: 1 }]);
  expect(one.socket.retryCount + two.socket.retryCount + elsewhere.socket.retryCount).toBe(0);
  const output = party.output();
  // workerd itself has something to say of each body that nobody reads.
  expect(output).not.toContain('tinybase-partykit: ');
  for (const clientId of input.clientIds) expect(output.includes(clientId)).toBe(false);
});

test('[FLOOD-1] one connection that sends as fast as it can does not starve others', async () => {
  const room = 'flooded';
  const where = { host: party.host, room };
  const one = await clients.open({ ...where, seed: [{}, { v: 0 }] });
  const two = await clients.open(where);
  const flood = await connect(room);
  const heard: string[] = [];
  flood.on('message', (data: Buffer) => heard.push(...data.toString().split('\n')));
  flood.send(new HostileInput(seededRandom(1)).hello());
  let slowest = 0;
  for (let sent = 0; sent < FLOOD_MESSAGES;) {
    for (let burst = 0; burst < 1_000; burst++, sent++) flood.send('i[1]');
    const start = performance.now();
    one.store.setValue('v', sent);
    await one.confirmed();
    await until('the other to see it', () => two.store.getValue('v') === sent);
    slowest = Math.max(slowest, performance.now() - start);
  }
  // In its turn, behind all that was taken of it (FLOOD-9).
  await until('the flood to be answered', () => heard.some((frame) => frame.startsWith('e')));
  expect(heard.find((frame) => frame.startsWith('e'))).toContain('"overloaded"');
  expect(slowest).toBeLessThan(5_000);
  expect(one.socket.retryCount + two.socket.retryCount).toBe(0);
  flood.terminate();
});
