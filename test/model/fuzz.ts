import { createHash, randomInt } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';

import { ADVERSITY_NAMES, isAdversity, type Adversity } from './adversities.ts';
import { runWorkers } from './fuzz-workers.ts';
import { liveAgain, liveThrough, type HistoryPlan } from './history.ts';
import { kindOf, minimise } from './minimise.ts';
import { readRecording, writeRecording } from './recording.ts';

const { values: options } = parseArgs({
  options: {
    /** How many histories. */
    histories: { type: 'string', default: '10000' },
    /** The seed of the first one; the others' follow. */
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    /** Steps of each before all is left to come to quiet. */
    length: { type: 'string', default: '200' },
    /** The number of processes. */
    workers: { type: 'string', default: String(availableParallelism()) },
    /** Adversities that every history has, whether they are on or not: names with commas between them, or `all`. */
    with: { type: 'string', default: '' },
    /** Tells what of a failing history matters. */
    minimise: { type: 'boolean', default: false },
    /** Writes what matters of the first history that fails to a recording of that name. */
    record: { type: 'string' },
    /**
     * Prints a digest of all that happens in each history. Two versions of the code with the same digests behave alike, but
     * for the messages of errors.
     */
    digest: { type: 'boolean', default: false },
    /** Lives through the recording of that name instead. */
    replay: { type: 'string' },
  },
});

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

const adversities = options.with === 'all' ? ADVERSITY_NAMES : options.with.split(',');
const forced = adversities.filter((name): name is Adversity => isAdversity(name));
if (options.with !== '' && forced.length < adversities.length)
  throw new Error(`--with ${options.with}: give names of ${ADVERSITY_NAMES.join(', ')}, or all.`);

function planOf(seed: number): HistoryPlan {
  const plan = { seed, length: Number(options.length) };
  return forced.length === 0 ? plan : { ...plan, traits: { adversities: forced } };
}

/** Returns the text to print for a failing history; undefined if it does not fail. */
async function live(seed: number): Promise<string | undefined> {
  const plan = planOf(seed);
  const { failure } = await liveThrough(plan);
  if (failure === undefined) return undefined;
  const message = `--seed ${seed} --length ${options.length}: ${failure.message}`;
  if (!options.minimise && options.record === undefined) return message;
  const { plan: least, outcome } = await minimise(plan);
  const lines = [
    message,
    ...outcome.trace,
    outcome.failure?.message ?? '',
    `without ${least.skipped?.size ?? 0} of ${options.length} steps`,
  ];
  if (options.record !== undefined) {
    const recording = outcome.record(outcome.failure?.message ?? '');
    const again = await liveAgain(recording);
    lines.push(
      kindOf(again.failure) === kindOf(outcome.failure)
        ? writeRecording(options.record, recording)
        : `the recording does not fail so: ${String(again.failure)}`,
    );
  }
  return lines.join('\n');
}

async function digest(seed: number): Promise<string> {
  const { trace, failure } = await liveThrough(planOf(seed));
  const behaviour = trace.filter((line) => !line.includes(' TinyBasePartyKitError: '));
  const text = [...behaviour, failure?.message ?? ''].join('\n');
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

if (options.digest) {
  const first = Number(options.seed);
  for (let seed = first; seed < first + Number(options.histories); seed += 1)
    print(`${seed} ${await digest(seed)}`);
} else if (options.replay !== undefined) {
  const { failure, trace } = await liveAgain(readRecording(options.replay));
  print(trace.join('\n'));
  if (failure !== undefined) {
    print(failure.message);
    process.exitCode = 1;
  }
} else {
  const isClean = await runWorkers({
    first: Number(options.seed),
    histories: Number(options.histories),
    workers: Number(options.workers),
    live,
    print,
  });
  if (!isClean) process.exitCode = 1;
}
