/**
 * `npm run bench -- quick`: all measures of the race that need no peers, with few samples. It fails on a wrong result, never
 * on a slow one.
 */
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
} from './race/measures.ts';
import { run } from './race/run.ts';
import { linesOf } from './race/table.ts';

const contenders = [broadcastFloor(), durableFloor(), ours(), stock()];
const measures = [
  coldLatency(30),
  burst(200, 1),
  burst(200, 5),
  fanOut(10),
  firstJoin(1_000, 1),
  initialContent(1_000),
  catchUp(1_000, 10, 'ms'),
  bytesOfChange('down', 'burst'),
  firstGet(10_000),
];
const failed = await run(contenders, measures, 1, (row) => console.log(`\n${linesOf(row)}`));
process.exit(failed.length === 0 ? 0 : 1);
