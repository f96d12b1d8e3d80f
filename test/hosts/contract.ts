import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe } from 'vitest';
import { WebSocket } from 'ws';
import { Clients } from '../support/clients.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { testAdmin } from './contract-admin.ts';
import { testAuth } from './contract-auth.ts';
import { testEvents } from './contract-events.ts';
import { testPresence } from './contract-presence.ts';
import { testLifecycle } from './contract-lifecycle.ts';
import { testDurability, type TestedHost } from './contract-durability.ts';
import { testEdges } from './contract-edges.ts';
import { testFeatures } from './contract-features.ts';
import { testRoom } from './contract-room.ts';
import { type HostName, startHost } from './hosts.ts';

type Part = 'room' | 'features' | 'saving';

/** The contract, in parts that take about as long as each other: they run side by side. */
const PARTS: Readonly<Record<Part, readonly ((tested: TestedHost) => void)[]>> = {
  room: [testRoom, testEdges, testDurability, testAuth],
  features: [testFeatures, testAdmin, testPresence, testEvents],
  saving: [testLifecycle],
};

/**
 * A part of what a room promises, whatever it runs on. Rules of docs/protocol.md are named where a host could break them.
 */
export const describeHost = (name: HostName, part: Part): void => {
  describe(name, () => {
    let host: ServerProcess;
    const clients = new Clients();

    beforeAll(async () => {
      host = await startHost(name);
    });
    afterEach(() => clients.closeAll());
    afterAll(() => host?.stop());

    const textOf = async (room: string, path: string): Promise<string> =>
      (await fetch(host.room(room, path))).text();

    const openSocket = async (room: string, id: string): Promise<WebSocket> => {
      const socket = new WebSocket(`${host.room(room).replace('http', 'ws')}?_pk=${id}`);
      await once(socket, 'open');
      return socket;
    };

    const tested = { name, clients, getHost: () => host, textOf, openSocket };
    for (const testPart of PARTS[part]) testPart(tested);
  });
};
