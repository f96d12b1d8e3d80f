import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';

import { liveThrough } from './history.ts';
import { minimise } from './minimise.ts';

const { values: options } = parseArgs({
  options: {
    /** How many histories. */
    histories: { type: 'string', default: '10000' },
    /** The seed of the first one; the others' follow. */
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    /** Steps of each before all is left to come to quiet. */
    length: { type: 'string', default: '200' },
    /** Tells what of a failing history matters. */
    minimise: { type: 'boolean', default: false },
  },
});

const HISTORIES_A_REPORT = 1000;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

const first = Number(options.seed);
const end = first + Number(options.histories);
const length = Number(options.length);
let failures = 0;
for (let seed = first; seed < end; seed += 1) {
  const { failure } = await liveThrough({ seed, length });
  if (failure !== undefined) {
    failures += 1;
    print(`--seed ${seed} --length ${length}: ${failure.message}`);
    if (options.minimise) {
      const { plan, outcome } = await minimise({ seed, length });
      print(outcome.trace.join('\n'));
      print(
        `${outcome.failure?.message ?? ''}\nwithout ${plan.skipped?.size ?? 0} of ${length} steps`,
      );
    }
  }
  const done = seed + 1 - first;
  if (done % HISTORIES_A_REPORT === 0 || done === end - first)
    print(`${done} histories from seed ${first}, ${failures} failed`);
}
process.exitCode = failures === 0 ? 0 : 1;
