import { readFile } from 'node:fs/promises';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { MUTATIONS as SIMULATED_MUTATIONS } from '../model/mutations/mutations.ts';
import { PRESENCE_MUTATIONS } from './presence.ts';
import { SOURCE_MUTATIONS } from './source-mutations.ts';
import { UnitTests } from './unit-tests.ts';

let unitTests: UnitTests;
/** The tests that have failed, and their files. */
const noticing = { files: new Set<string>(), tests: new Set<string>() };
beforeAll(async () => {
  unitTests = await UnitTests.start();
});
afterAll(() => unitTests.end());

// The titles of the mutations begin with the ids of their rules.
describe('a unit test fails without the rule:', () => {
  test.for(SOURCE_MUTATIONS.map((mutation) => [mutation.title, mutation] as const))(
    '%s',
    async ([, mutation]) => {
      const { failed, errors, files } = await unitTests.runWith(mutation);
      for (const file of files) noticing.files.add(file);
      // One is enough to see that it is the mutation that makes the difference.
      for (const name of failed.slice(0, 1)) noticing.tests.add(name);
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

test('where no mutation breaks the rules, the same tests pass', async () => {
  const { failed, errors } = await unitTests.run([...noticing.files], [...noticing.tests]);
  expect({ failed, errors }).toEqual({ failed: [], errors: [] });
});

test('every rule of docs/protocol.md has a mutation, here or in the simulation', async () => {
  const document = await readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
  const rules = Array.from(document.matchAll(/^\| ([A-Z]+-\d+) \|/gm), ([, id = '']) => id);
  const titles = [...SOURCE_MUTATIONS, ...SIMULATED_MUTATIONS].map(({ title }) => title);
  expect(rules.filter((id) => !titles.some((title) => title.includes(`[${id}]`)))).toEqual([]);
});
