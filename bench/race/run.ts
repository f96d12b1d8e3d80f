import { quantileOf } from '../support/measure.ts';
import type { Contender } from './contender.ts';
import type { Measure } from './measures.ts';

/** The figures of one contender in one measure. */
export interface Result {
  readonly contender: string;
  readonly samples: number;
  readonly median: number;
  readonly p99: number;
  /** Set if its result was wrong: then nothing of it counts. */
  readonly failure?: string;
}

/** One row of the table. */
export interface Row {
  readonly measure: string;
  readonly unit: Measure['unit'];
  readonly results: readonly Result[];
}

/**
 * Takes all measures of all contenders, in rounds, in another order each time: one that always follows an idle one would
 * meet a machine that has cooled. Only ratios within one run mean anything. Each sample warms up
 * by itself. Resolves to the results that were wrong.
 */
export async function run(
  contenders: readonly Contender[],
  measures: readonly Measure[],
  rounds: number,
  onRow: (row: Row) => void,
): Promise<readonly Result[]> {
  const failed: Result[] = [];
  try {
    for (const contender of contenders) await contender.start();
    for (const measure of measures) {
      const row = await take(contenders, measure, rounds);
      failed.push(...row.results.filter(({ failure }) => failure !== undefined));
      onRow(row);
    }
  } finally {
    for (const contender of contenders) await contender.stop();
  }
  return failed;
}

async function take(
  contenders: readonly Contender[],
  { name, unit, isFor = () => true, sample, end }: Measure,
  rounds: number,
): Promise<Row> {
  const taking = contenders.filter((contender) => isFor(contender));
  const samples = new Map(taking.map((contender): [Contender, number[]] => [contender, []]));
  const failures = new Map<Contender, string>();
  for (let round = 1; round <= rounds; round += 1) {
    for (const contender of shuffled(taking)) {
      if (failures.has(contender)) continue;
      try {
        samples.get(contender)?.push(...(await sample(contender)));
      } catch (error) {
        console.error(`${contender.name} failed at "${name}":`, error);
        failures.set(contender, String(error));
      }
    }
  }
  for (const contender of taking)
    await end?.(contender).catch((error: unknown) => failures.set(contender, String(error)));
  const results = taking.map((contender): Result => {
    const failure = failures.get(contender);
    const taken = failure === undefined ? (samples.get(contender) ?? []) : [];
    return {
      contender: contender.name,
      samples: taken.length,
      median: quantileOf(taken, 0.5),
      p99: quantileOf(taken, 0.99),
      ...(failure !== undefined && { failure }),
    };
  });
  return { measure: name, unit, results };
}

function shuffled<T>(items: readonly T[]): readonly T[] {
  const order = items.map((item) => ({ item, at: Math.random() }));
  return order.toSorted((a, b) => a.at - b.at).map(({ item }) => item);
}
