import { quantileOf } from '../support/measure.ts';
import type { Contender } from './contender.ts';
import type { Measure } from './measures.ts';

/** The figures of one contender in one measure. */
export interface Result {
  readonly contender: string;
  readonly samples: number;
  readonly median: number;
  readonly p99: number;
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
 * by itself.
 */
export async function run(
  contenders: readonly Contender[],
  measures: readonly Measure[],
  rounds: number,
  onRow: (row: Row) => void,
): Promise<void> {
  try {
    for (const contender of contenders) await contender.start();
    for (const measure of measures) {
      onRow(await take(contenders, measure, rounds));
    }
  } finally {
    for (const contender of contenders) await contender.stop();
  }
}

async function take(
  contenders: readonly Contender[],
  { name, unit, isFor = () => true, sample, end }: Measure,
  rounds: number,
): Promise<Row> {
  const taking = contenders.filter((contender) => isFor(contender));
  const samples = new Map(taking.map((contender): [Contender, number[]] => [contender, []]));
  for (let round = 1; round <= rounds; round += 1) {
    for (const contender of shuffled(taking)) {
      try {
        samples.get(contender)?.push(...(await sample(contender)));
      } catch (cause) {
        throw new Error(`${contender.name} failed at "${name}": ${String(cause)}`, { cause });
      }
    }
  }
  for (const contender of taking) await end?.(contender);
  const results = taking.map((contender): Result => {
    const taken = samples.get(contender) ?? [];
    return {
      contender: contender.name,
      samples: taken.length,
      median: quantileOf(taken, 0.5),
      p99: quantileOf(taken, 0.99),
    };
  });
  return { measure: name, unit, results };
}

function shuffled<T>(items: readonly T[]): readonly T[] {
  const order = items.map((item) => ({ item, at: Math.random() }));
  return order.toSorted((a, b) => a.at - b.at).map(({ item }) => item);
}
