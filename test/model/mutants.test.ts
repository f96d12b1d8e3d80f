import { describe, expect, onTestFinished, test } from 'vitest';

import { liveThrough } from './history.ts';
import { MUTATIONS } from './mutations/mutations.ts';
import { Patches } from './patches.ts';

/** The mutation that is hardest to notice needs 246. */
const MOST_HISTORIES = 300;
const LENGTH = 200;

// The titles of the mutations begin with the ids of their rules.
describe('the simulation fails without the rule:', () => {
  test.for(MUTATIONS.map(({ title, ...mutation }) => [title, mutation] as const))(
    '%s',
    async ([, { make, patch }]) => {
      const patches = new Patches();
      onTestFinished(() => patches.undo());
      patch?.(patches);
      let failing: number | undefined;
      for (let seed = 1; failing === undefined && seed <= MOST_HISTORIES; seed += 1) {
        const { failure } = await liveThrough({ seed, length: LENGTH }, make?.());
        if (failure !== undefined) failing = seed;
      }
      expect(failing, 'the seed of a history that fails').toBeDefined();
      patches.undo();
      // It is the rule that makes the difference, and not what the history was made to be like.
      const { traits = {} } = make?.() ?? {};
      const { failure } = await liveThrough({ seed: failing ?? 0, length: LENGTH }, { traits });
      expect(failure).toBeUndefined();
    },
  );
});
