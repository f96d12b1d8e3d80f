import { parseArgs } from 'node:util';

import { liveThrough } from './history.ts';
import { minimise } from './minimise.ts';

const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '2000' },
    seed: { type: 'string', default: '1' },
    length: { type: 'string', default: '200' },
    trace: { type: 'boolean', default: false },
    minimise: { type: 'boolean', default: false },
  },
});

const first = Number(values.seed);
const length = Number(values.length);
const start = performance.now();
let steps = 0;
const failures = new Map<string, { count: number; seeds: number[] }>();
for (let seed = first; seed < first + Number(values.histories); seed += 1) {
  const outcome = await liveThrough({ seed, length });
  steps += outcome.steps;
  if (outcome.failure === undefined) continue;
  const e = outcome.failure;
  const message = String(e instanceof Error ? e.message : e).replace(/[0-9]+/g, 'N').replace(/["\[{].*/, '').slice(0, 90);
  const known = failures.get(message) ?? { count: 0, seeds: [] };
  known.count += 1;
  if (known.seeds.length < 5) known.seeds.push(seed);
  failures.set(message, known);
  if (values.minimise) {
    const { plan, outcome } = await minimise({ seed, length });
    console.log(outcome.trace.join('\n'));
    console.log(outcome.failure, [...(plan.skipped ?? [])].length);
  }
  if (values.trace) {
    console.log(outcome.trace.join('\n'));
    console.log(e);
  }
}
console.log(`${steps} steps, ${Math.round(performance.now() - start)} ms`);
for (const [message, { count, seeds }] of [...failures].sort((a, b) => b[1].count - a[1].count)) {
  console.log(count, message, seeds.join(' '));
}
