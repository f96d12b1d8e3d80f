import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { expect, test } from 'vitest';

import { clientId, FakeRoomHost } from '../support/fake-connection.ts';

const CONNECTIONS = 10_000;
/** What docs/migrating.md says, of the room's own: a host's socket takes more. */
const BYTES_EACH = 2 * 1024;

const heapBytes = (): number => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
};

test('ten thousand idle connections cost less than 2 KiB of memory each, and a commit one frame each', async () => {
  const host = new FakeRoomHost();
  await host.seed({ open: true });
  const cursor = await host.cursor();
  const connections = [];
  const before = heapBytes();
  for (let index = 0; index < CONNECTIONS; index++) {
    const connection = host.connect();
    connections.push(connection);
    // Nothing else is kept of them than the room needs, and what the double itself holds.
    await host.room.receive(
      connection,
      `h{"protocol":1,"client":"${clientId(`c${index}`)}","generation":1,"cursor":["${cursor.epoch}",1],"next":1,"acked":0}`,
    );
    connection.frames.length = 0;
  }
  const bytesEach = (heapBytes() - before) / CONNECTIONS;
  expect(bytesEach).toBeLessThan(BYTES_EACH);
  const start = performance.now();
  host.room.store.setValue('open', false);
  await host.content();
  const milliseconds = performance.now() - start;
  expect(connections.every(({ frames }) => frames.length === 1)).toBe(true);
  expect(milliseconds).toBeLessThan(2_000);
});
