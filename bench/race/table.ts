import { cpus } from 'node:os';

import type { Contender } from './contender.ts';
import type { Result, Row } from './run.ts';

/** A run, as it is written. */
export interface Report {
  readonly date: string;
  readonly machine: string;
  readonly rounds: number;
  readonly contenders: readonly { readonly name: string; readonly note: string }[];
  readonly rows: readonly Row[];
}

const OURS = 'ours';

/** Makes the report of a run. */
export function reportOf(
  contenders: readonly Contender[],
  rows: readonly Row[],
  rounds: number,
): Report {
  const processors = cpus();
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${processors.length} cores (${processors[0]?.model ?? 'unknown'}), Node ${process.versions.node}`,
    rounds,
    contenders: contenders.map(({ name, note }) => ({ name, note })),
    rows,
  };
}

/** One line for each contender of a row: its figures, and ours divided by its. */
export function linesOf(row: Row): string {
  const { measure, unit, results } = row;
  const ours = results.find(({ contender }) => contender === OURS);
  const lines = results.map((result) =>
    result.failure !== undefined
      ? `  ${result.contender.padEnd(12)} failed: ${result.failure}`
      : `  ${result.contender.padEnd(12)} ${figure(result.median).padStart(9)} ${unit.padEnd(5)}` +
        `${hasTail(row, result) ? ` p99 ${figure(result.p99).padStart(9)}` : ''.padEnd(14)}` +
        `${ours === undefined || result === ours ? '' : `   ours × ${ratio(ours.median, result.median)}`}`,
  );
  return [measure, ...lines].join('\n');
}

/** The report as Markdown: one row for each measure, with the median, the 99th percentile and the ratio of ours. */
export function markdownOf({ date, machine, rounds, contenders, rows }: Report): string {
  const names = contenders.map(({ name }) => name);
  const cell = (row: Row, name: string): string => {
    const result = row.results.find(({ contender }) => contender === name);
    const ours = row.results.find(({ contender }) => contender === OURS);
    if (result === undefined) return '–';
    if (result.failure !== undefined) return 'wrong';
    const tail = hasTail(row, result) ? ` / ${figure(result.p99)}` : '';
    const compared =
      ours === undefined || name === OURS ? '' : ` (${ratio(ours.median, result.median)})`;
    return `${figure(result.median)}${tail}${compared}`;
  };
  return [
    `${date}; ${machine}; ${rounds} rounds. Medians, with the 99th percentile after a stroke; in brackets: ours divided by it, so less than 1 means that ours is ahead.`,
    '',
    `| | ${names.join(' | ')} |`,
    `|---|${names.map(() => '---|').join('')}`,
    ...rows.map(
      (row) =>
        `| ${row.measure}, ${row.unit} | ${names.map((name) => cell(row, name)).join(' | ')} |`,
    ),
    '',
    ...contenders.map(({ name, note }) => `- **${name}**: ${note}.`),
    '',
  ].join('\n');
}

/** Few samples have no tail worth telling. */
function hasTail({ unit }: Row, { samples }: Result): boolean {
  return unit === 'ms' && samples >= 100;
}

function ratio(a: number, b: number): string {
  return (a / b).toFixed(2);
}

function figure(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}
