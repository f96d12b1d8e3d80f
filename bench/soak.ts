/**
 * `npm run bench -- soak [--minutes 10]`: clients join, edit and leave for minutes, on a real `partykit dev`. Prints what
 * the room has on disk and in memory as it goes, and fails if they do not all end equal.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { type Client, Clients } from '../test/support/clients.ts';
import { untilEqual } from '../test/support/content.ts';
import { startParty } from '../test/support/party.ts';
import { assert, note } from './support/measure.ts';
import { memoryOfDescendants } from './support/process-memory.ts';

const { values: options } = parseArgs({ options: { minutes: { type: 'string', default: '10' } } });
const MINUTE = 60_000;
const MOST_CLIENTS = 8;
const ROWS = 2_000;
const REPORTS = 10;

const duration = Number(options.minutes) * MINUTE;
if (!(duration > 0)) throw new Error(`"${options.minutes}" is no number of minutes.`);
const party = await startParty({
  entry: 'bench/rooms/ours.ts',
  config: 'bench/rooms/partykit.json',
});
const url = `${party.origin}/parties/counting/soak`;
const clients = new Clients();
const open: Client[] = [];
let edits = 0;
let joins = 0;

function below(count: number): number {
  return Math.floor(Math.random() * count);
}

async function join(): Promise<void> {
  joins += 1;
  open.push(
    await clients.open({ host: party.host, party: 'counting', room: 'soak', seed: [{}, {}] }),
  );
}

async function leave(): Promise<void> {
  const [client] = open.splice(below(open.length), 1);
  // Half of them go without a goodbye.
  if (client !== undefined && below(2) === 0) await client.confirmed();
  await client?.close();
}

function edit({ store }: Client): void {
  edits += 1;
  const row = `${below(ROWS)}`;
  const kind = below(10);
  if (kind === 0) store.delRow('rows', row);
  else if (kind === 1)
    store.setRow('rows', row, { text: `row ${edits}`, number: edits, done: false });
  else if (kind === 2) store.setValue(`value ${below(50)}`, edits);
  else store.setCell('rows', row, `cell ${below(8)}`, `edit ${edits} `.repeat(1 + below(6)));
}

async function tell(minute: string): Promise<void> {
  const counts: Record<string, number> = await (await fetch(`${url}/counts`)).json();
  const kibibytes = (bytes = 0): string => `${Math.round(bytes / 1024)} KiB`;
  note(
    `${minute} min: ${edits} edits, ${joins} joins, ${open.length} here; on disk ${counts['logRows']} rows of log ` +
      `(${kibibytes(counts['logBytes'])}), ${counts['blobs']} pages and parts (${kibibytes(counts['blobBytes'])}), ` +
      `${counts['clientRecords']} client records; workerd ${memoryOfDescendants('workerd')}, this process ` +
      `${Math.round(process.memoryUsage().heapUsed / 1024 / 1024)} MiB of heap`,
  );
}

try {
  console.log(`A soak of ${options.minutes} minutes`);
  await join();
  const start = performance.now();
  let reported = 0;
  while (performance.now() - start < duration) {
    for (let count = 0; count < 10; count += 1) {
      const client = open[below(open.length)];
      if (client !== undefined) edit(client);
    }
    if (below(20) === 0) {
      if (open.length < 2 || (open.length < MOST_CLIENTS && below(2) === 0)) await join();
      else await leave();
    }
    await wait(20);
    const part = Math.floor(((performance.now() - start) / duration) * REPORTS);
    if (part > reported) {
      reported = part;
      await tell(((performance.now() - start) / MINUTE).toFixed(1));
    }
  }
  await Promise.all(open.map((client) => client.confirmed()));
  await untilEqual(
    open.map(({ store }) => store),
    `${url}/store`,
  );
  assert(
    open.every(({ refusals }) => refusals.length === 0),
    'something was refused',
  );
  await tell('in the end');
} finally {
  await clients.closeAll();
  await party.stop();
}
process.exit(0);
