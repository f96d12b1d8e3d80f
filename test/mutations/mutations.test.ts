import { readFile } from 'node:fs/promises';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { MUTATIONS as SIMULATED_MUTATIONS } from '../model/mutations/mutations.ts';
import { ADMIN_MUTATIONS } from './admin.ts';
import { CLIENT_MUTATIONS } from './client.ts';
import { EVENT_MUTATIONS } from './events.ts';
import { GATE_MUTATIONS } from './gate.ts';
import { LIFECYCLE_MUTATIONS } from './lifecycle.ts';
import { PRESENCE_MUTATIONS } from './presence.ts';
import { SEAM_MUTATIONS } from './seam.ts';
import { ruleOf, type SourceMutation } from './source-mutation.ts';
import { UnitTests } from './unit-tests.ts';

const MUTATIONS: readonly SourceMutation[] = [
  ...GATE_MUTATIONS,
  ...ADMIN_MUTATIONS,
  ...PRESENCE_MUTATIONS,
  ...EVENT_MUTATIONS,
  ...SEAM_MUTATIONS,
  ...CLIENT_MUTATIONS,
  ...LIFECYCLE_MUTATIONS,
];

let unitTests: UnitTests;
beforeAll(async () => {
  unitTests = await UnitTests.start();
});
afterAll(() => unitTests.end());

// The titles of the mutations begin with the ids of their rules.
describe('a unit test fails without the rule:', () => {
  test.for(MUTATIONS.map((mutation) => [mutation.title, mutation] as const))(
    '%s',
    async ([, mutation]) => {
      const { failed, errors } = await unitTests.runWith(mutation);
      // A source that does not even load breaks every rule.
      expect(errors).toEqual([]);
      expect(failed).not.toEqual([]);
    },
  );
});

test.for([
  ['is not there', 'No file has this text.'],
  ['is there more than once', 'this.#room'],
] as const)('a mutation whose text %s is an error', async ([, text]) => {
  const [first] = PRESENCE_MUTATIONS;
  if (first === undefined) throw new Error('There is no mutation.');
  const { errors } = await unitTests.runWith({ ...first, text });
  expect(errors).toContainEqual(expect.stringContaining(first.title));
});

test('with the rules, all of these unit tests pass', async () => {
  const { passed, failed, errors } = await unitTests.run(MUTATIONS.map(ruleOf));
  expect({ failed, errors }).toEqual({ failed: [], errors: [] });
  for (const rule of MUTATIONS.map(ruleOf))
    expect(
      passed.some((name) => name.includes(`[${rule}]`)),
      rule,
    ).toBe(true);
});

/** The rules that no mutation breaks. */
const WITHOUT: readonly string[] = [
  ...['CHANGES-2', 'CHANGES-4', 'FRAME-1', 'FRAME-3', 'FRAME-4', 'FRAME-5', 'CLOSE-2'],
  ...['JOIN-6', 'JOIN-10', 'ONCE-7', 'PART-1', 'HOOK-5', 'HOOK-6', 'SEED-5', 'SEED-6', 'SEED-7'],
  ...['VIEW-9', 'LOCAL-3', 'UNDO-1', 'UNDO-2', 'UNDO-8', 'KEEP-2', 'KEEP-3', 'OFFLINE-10'],
  ...['DURABLE-2', 'HTTP-1', 'HTTP-2', 'HTTP-4', 'HTTP-5', 'HTTP-6', 'HTTP-7', 'HTTP-8'],
  ...['FLOOD-1', 'FLOOD-2', 'FLOOD-3', 'FLOOD-4', 'FLOOD-5', 'FLOOD-6', 'FLOOD-8', 'LIMIT-3'],
  ...['LIMIT-4', 'LIMIT-5', 'LIMIT-6', 'LIMIT-7', 'STOCK-4', 'STOCK-5', 'STOCK-6'],
  ...['CONNECTION-1', 'CONNECTION-2'],
];

test('every rule of docs/protocol.md has a mutation, here or in the simulation, but for those named here', async () => {
  const document = await readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
  const rules = Array.from(document.matchAll(/^\| ([A-Z]+-\d+) \|/gm), ([, id = '']) => id);
  const titles = [...MUTATIONS, ...SIMULATED_MUTATIONS].map(({ title }) => title);
  expect(rules.filter((id) => !titles.some((title) => title.includes(`[${id}]`)))).toEqual(WITHOUT);
});
