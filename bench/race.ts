/**
 * `npm run bench -- race [--rounds 4] [--only ours,stock] [--measures join,burst] [--cells 10000]`: ours beside the floors and
 * its peers, in one run. Writes bench/results/race.json, .md and .svg if nothing is left out. Installs the peers first,
 * if they are not in bench/node_modules.
 */
import { execSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { chartOf } from './race/chart.ts';
import type { Contender } from './race/contender.ts';
import { broadcastFloor, durableFloor } from './race/contenders/floors.ts';
import { ours, stock } from './race/contenders/pairs.ts';
import {
  burst,
  bytesOfChange,
  catchUp,
  coldLatency,
  fanOut,
  initialContent,
  firstGet,
  firstJoin,
  latency,
  serverMemory,
  type Measure,
} from './race/measures.ts';
import { run, type Row } from './race/run.ts';
import { linesOf, markdownOf, reportOf, type Report } from './race/table.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '4' },
    only: { type: 'string', default: '' },
    measures: { type: 'string', default: '' },
    /** The size of a large content; smaller to try things out. */
    cells: { type: 'string', default: '100000' },
  },
});

const large = Number(values.cells);
const measures: Readonly<Record<string, readonly Measure[]>> = {
  latency: [latency()],
  cold: [coldLatency(300)],
  burst: [burst(2_000, 1), burst(2_000, 10), burst(10_000, 1)],
  fan: [fanOut(50)],
  join: [firstJoin(1_000, 10), firstJoin(large, 2)],
  content: [initialContent(1_000), initialContent(large)],
  catch: [0, 10, 1_000].flatMap((missed) => [
    catchUp(large, missed, 'ms'),
    catchUp(large, missed, 'bytes'),
  ]),
  bytes: (['alone', 'burst'] as const).flatMap((kind) => [
    bytesOfChange('up', kind),
    bytesOfChange('down', kind),
  ]),
  restart: [firstGet(large)],
  memory: [serverMemory(large)],
};

const makers: Readonly<Record<string, () => Promise<Contender> | Contender>> = {
  bare: broadcastFloor,
  durable: durableFloor,
  ours,
  stock,
  wsserver: async () => (await import('./peers/ws-server.ts')).wsServer(),
  'ws-object': async () => (await import('./peers/ws-server.ts')).wsServerObject(),
  hocuspocus: async () => (await import('./peers/yjs.ts')).hocuspocus(),
  'y-partykit': async () => (await import('./peers/yjs.ts')).yPartyKit(),
  tldraw: async () => (await import('./peers/tldraw.ts')).tldraw(),
};

const names = chosen(values.only, makers);
const wanted = chosen(values.measures, measures).flatMap((name) => measures[name] ?? []);
const rounds = Number(values.rounds);
if (!(rounds >= 1)) throw new Error(`"${values.rounds}" is no number of rounds.`);
if (!existsSync('bench/node_modules')) execSync('npm ci', { cwd: 'bench', stdio: 'inherit' });

// Clients of y-partykit each listen for the end of the process.
process.setMaxListeners(0);
const contenders: Contender[] = [];
for (const name of names) {
  const contender = await makers[name]?.();
  if (contender !== undefined) contenders.push(contender);
}
const isWhole = values.only === '' && values.measures === '' && large === 100_000;
const rows: Row[] = [];
const failed = await run(contenders, wanted, rounds, (row) => {
  console.log(`\n${linesOf(row)}`);
  rows.push(row);
  if (isWhole) write(reportOf(contenders, rows, rounds));
});
if (isWhole) console.log(`\n${markdownOf(reportOf(contenders, rows, rounds))}`);
process.exit(failed.length === 0 ? 0 : 1);

/** After each row, so that a run that is cut short leaves what it has. */
function write(report: Report): void {
  mkdirSync('bench/results', { recursive: true });
  writeFileSync('bench/results/race.json', `${JSON.stringify(report, undefined, 2)}\n`);
  writeFileSync('bench/results/race.md', markdownOf(report));
  writeFileSync('bench/results/race.svg', chartOf(report));
}

/** The names in a list, or all if it is empty. */
function chosen(list: string, known: Readonly<Record<string, unknown>>): readonly string[] {
  const chosenNames = list === '' ? Object.keys(known) : list.split(',');
  for (const name of chosenNames)
    if (!(name in known))
      throw new Error(`There is no "${name}". There are: ${Object.keys(known).join(', ')}.`);
  return chosenNames;
}
