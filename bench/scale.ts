/**
 * `npm run bench -- scale [--connections 1000] [--edits 20] [--seconds 60] [--cells 1000000]`: many clients in one room, some of
 * whom edit, and a client that joins a large room, on a real `partykit dev`. Fails if a connection is lost, or if they do not all end equal.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { type Client, Clients } from '../test/support/clients.ts';
import { startParty } from '../test/support/party.ts';
import { until } from '../test/support/until.ts';
import { assert, note } from './support/measure.ts';

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '1000' },
    edits: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '60' },
    cells: { type: 'string', default: '1000000' },
  },
});
const [connections, editsPerSecond, seconds, cells] = [
  Number(values.connections),
  Number(values.edits),
  Number(values.seconds),
  Number(values.cells),
];
/** Clients that connect at once. */
const BATCH = 25;
const CELLS_A_ROW = 10;
const PATIENCE = { deadlineMilliseconds: 300_000, intervalMilliseconds: 200 };
const MEBIBYTE = 1024 * 1024;

const party = await startParty({
  entry: 'bench/rooms/ours.ts',
  config: 'bench/rooms/partykit.json',
});
const clients = new Clients();
const open: Client[] = [];

function percentile(sorted: readonly number[], part: number): string {
  return (sorted[Math.floor(sorted.length * part)] ?? NaN).toFixed(1);
}

async function crowd(): Promise<void> {
  let closes = 0;
  // Otherwise, all of the first ones would offer the initial content, and the room takes few bodies at once (LIMIT-4).
  open.push(await clients.open({ host: party.host, room: 'crowd', seed: [{}, {}] }));
  while (open.length < connections) {
    const count = Math.min(BATCH, connections - open.length);
    open.push(
      ...(await Promise.all(
        Array.from({ length: count }, () => clients.open({ host: party.host, room: 'crowd' })),
      )),
    );
  }
  for (const { socket } of open) socket.addEventListener('close', () => (closes += 1));
  note(`${open.length} clients are live; the server has ${Math.round(party.memory())} MiB`);
  // The last of the room to be told.
  const listener = open.at(-1);
  assert(listener !== undefined, 'there are clients');
  const sent = new Map<string, number>();
  const latencies: number[] = [];
  listener.store.addValueListener(null, (_store, id) => {
    latencies.push(performance.now() - (sent.get(id) ?? NaN));
  });
  const total = editsPerSecond * seconds;
  const start = performance.now();
  for (let edit = 0; edit < total; edit++) {
    await wait(Math.max(0, start + (edit * 1000) / editsPerSecond - performance.now()));
    const author = open[edit % (open.length - 1)];
    sent.set(`v${edit}`, performance.now());
    author?.store.setValue(`v${edit}`, edit);
  }
  const lag = (performance.now() - start) / 1000 - seconds;
  await until(
    'every client to have every edit',
    () => open.every(({ store }) => store.getValueIds().length === total),
    PATIENCE,
  );
  const settled = (performance.now() - start) / 1000 - seconds;
  const sorted = latencies.toSorted((one, other) => one - other);
  note(
    `${total} edits in ${seconds} s to ${open.length} clients: p50 ${percentile(sorted, 0.5)} ms, p99 ${percentile(sorted, 0.99)} ms; the last edit was made ${lag.toFixed(1)} s late, and all were equal ${settled.toFixed(1)} s after the end; the server has ${Math.round(party.memory())} MiB`,
  );
  assert(closes === 0, `no connection was lost, but ${closes} were`);
  for (const { ignoredErrors, refusals } of open)
    assert(
      ignoredErrors.length + refusals.length === 0,
      `nobody got an error: ${String(ignoredErrors[0])}`,
    );
  await clients.closeAll();
}

async function large(): Promise<void> {
  const table: Record<string, Record<string, number>> = {};
  for (let row = 0; row < cells / CELLS_A_ROW; row++)
    table[`r${row}`] = Object.fromEntries(
      Array.from({ length: CELLS_A_ROW }, (_, cell) => [`c${cell}`, row * CELLS_A_ROW + cell]),
    );
  const body = JSON.stringify([{ t: table }, {}]);
  const put = performance.now();
  const response = await fetch(party.room('large', '/store'), { method: 'PUT', body });
  assert(response.status === 201, `the PUT was answered with ${response.status}`);
  note(
    `${cells} cells (${(body.length / MEBIBYTE).toFixed(1)} MiB of JSON): PUT in ${Math.round(performance.now() - put)} ms`,
  );
  const client = clients.create({ host: party.host, room: 'large' });
  const start = performance.now();
  let longest = 0;
  let last = start;
  const watch = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 1);
  await client.persister.startAutoPersisting();
  await until('the client to be live', () => client.persister.getSync().phase === 'live', PATIENCE);
  clearInterval(watch);
  note(
    `a client joins it in ${Math.round(performance.now() - start)} ms, with no turn of its page longer than ${Math.round(longest)} ms; the server has ${Math.round(party.memory())} MiB`,
  );
  assert(client.store.getRowCount('t') === cells / CELLS_A_ROW, 'every row is there');
  assert(
    client.store.getCell('t', `r${cells / CELLS_A_ROW - 1}`, 'c9') === cells - 1,
    'the last cell is there',
  );
  client.store.setCell('t', 'r0', 'c0', -1);
  await client.confirmed();
  await clients.closeAll();
}

try {
  if (connections > 0) await crowd();
  if (cells > 0) await large();
} finally {
  await party.stop();
}
process.exit();
