/** One thing that is measured. It throws if its result is wrong: what is wrong is not timed. */
export interface Contender {
  readonly name: string;
  /** Does it once; resolves to what it took, in milliseconds. Several numbers are several samples. */
  readonly run: () => Promise<number | readonly number[]>;
}

/** What a contender took. */
export interface Figures {
  readonly name: string;
  readonly median: number;
  readonly p99: number;
}

/**
 * Runs all in turn, round after round, so that what disturbs the machine disturbs all of them alike: only ratios within
 * one measurement mean anything. The first round warms up and does not count.
 */
export async function measure(
  rounds: number,
  contenders: readonly Contender[],
): Promise<Figures[]> {
  const samples = contenders.map((): number[] => []);
  for (let round = 0; round <= rounds; round += 1) {
    for (const [index, { run }] of contenders.entries()) {
      const taken = await run();
      if (round > 0) samples[index]?.push(...(typeof taken === 'number' ? [taken] : taken));
    }
  }
  return contenders.map(({ name }, index) => figuresOf(name, samples[index] ?? []));
}

/** What samples come to. */
export function figuresOf(name: string, samples: readonly number[]): Figures {
  return { name, median: quantileOf(samples, 0.5), p99: quantileOf(samples, 0.99) };
}

/** The time that something takes, in milliseconds. */
export async function timed(action: () => unknown): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/**
 * The processor time that something takes, of all threads, in milliseconds: garbage collection counts, and other processes
 * do not.
 */
export async function worked(action: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await action();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Prints figures with their ratio to the first of them, or to the one with the name given. */
export function report(title: string, figures: readonly Figures[], target = ''): void {
  const [floor] = figures;
  console.log(`\n${title}${target === '' ? '' : ` (target: ${target})`}`);
  for (const { name, median, p99 } of figures) {
    const ratio = median / (floor?.median ?? median);
    console.log(
      `  ${name.padEnd(46)} median ${median.toFixed(2).padStart(9)} ms   p99 ${p99.toFixed(2).padStart(9)} ms   × ${ratio.toFixed(2)}`,
    );
  }
}

/** Prints something that is no time. */
export function note(text: string): void {
  console.log(`  ${text}`);
}

/** Throws if something that must hold does not. */
export function assert(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`Wrong result: ${what}.`);
}

/** A quantile of samples in any order. */
export function quantileOf(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}
