import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

import { ERRORS } from '../../src/protocol/errors.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(`${REPOSITORY}/docs/troubleshooting.md`, 'utf8');
const sources = readdirSync(`${REPOSITORY}/src`, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => readFileSync(`${REPOSITORY}/src/${name}`, 'utf8'))
  .join('\n');

/** The first cells of the rows of a section. */
const firstCells = (heading: string): readonly string[] =>
  [...(page.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '').matchAll(/^\| (.*?) \|/gm)].map(
    ([, cell = '']) => cell,
  );

test('docs/troubleshooting.md quotes messages that this package has', () => {
  const quoted = firstCells('By message')
    // Those of others say whose they are.
    .filter((cell) => !/from PartySocket|in the console of/.test(cell))
    .flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, message = '']) => message));
  expect(quoted.length).toBeGreaterThan(8);
  expect(quoted.filter((message) => !sources.includes(message))).toEqual([]);
});

test('docs/troubleshooting.md lists every close code', () => {
  const listed = page.split('## By close code\n')[1]?.split('\n## ')[0] ?? '';
  const rows = [...listed.matchAll(/^\| (\d{4}) \| `([\w-]+)` \|/gm)].map(
    ([, closeCode, code]) => `${closeCode} ${code}`,
  );
  // These are errors of the client alone: no room closes a socket with them.
  const own = new Set(['destroyed', 'misuse', 'network', 'offline']);
  const expected = Object.entries(ERRORS)
    .filter(([code]) => !own.has(code))
    .map(([code, { closeCode }]) => `${closeCode} ${code}`);
  expect(rows).toEqual(expected.toSorted());
});

test('docs/troubleshooting.md lists every phase', () => {
  const phases = readFileSync(`${REPOSITORY}/docs/api.md`, 'utf8')
    .split('| phase | |')[1]
    ?.split('\n\n')[0]
    ?.match(/^\| `[\w-]+`/gm)
    ?.map((cell) => cell.slice(2));
  expect(phases?.length).toBe(8);
  // A client that catches up for long has a connection that is slow, or says nothing: an error says so.
  const cells = firstCells('Nothing arrives').join(' ');
  expect(phases?.filter((phase) => !cells.includes(phase))).toEqual(['`catching-up`']);
});
