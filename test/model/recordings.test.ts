import { describe, expect, test } from 'vitest';

import { ADVERSITIES } from './adversities.ts';
import { liveAgain } from './history.ts';
import { recordings } from './recording.ts';

/** Each has failed once, or would without what its title says. `npm run fuzz -- --replay <name>` tells it step by step. */
/** Those of an adversity that is off wait for the rule that they need. */
const RECORDINGS = recordings().filter(([, { traits }]) =>
  traits.adversities.every((adversity) => ADVERSITIES[adversity].isOn),
);

describe('histories that were recorded hold', () => {
  test.for(RECORDINGS.map(([name, recording]) => [recording.title, name, recording] as const))(
    '%s',
    async ([, name, recording]) => {
      const { failure } = await liveAgain(recording);
      expect(failure, name).toBeUndefined();
    },
  );
});
