import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { SourceMutation } from './source-mutation.ts';
import { UnitTests } from './unit-tests.ts';

/** Declares the tests that the unit tests notice each mutation, and that they pass without it. */
export function testThatUnitTestsNotice(mutations: readonly SourceMutation[]): void {
  let unitTests: UnitTests;
  /** The tests that have failed, and their files. */
  const noticing = { files: new Set<string>(), tests: new Set<string>() };
  beforeAll(async () => {
    unitTests = await UnitTests.start();
  });
  afterAll(() => unitTests.end());

  // The titles of the mutations begin with the ids of their rules.
  describe('a unit test fails without the rule:', () => {
    test.for(mutations.map((mutation) => [mutation.title, mutation] as const))(
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

  test('where no mutation breaks the rules, the same tests pass', async () => {
    const { failed, errors } = await unitTests.run([...noticing.files], [...noticing.tests]);
    expect({ failed, errors }).toEqual({ failed: [], errors: [] });
  });
}
