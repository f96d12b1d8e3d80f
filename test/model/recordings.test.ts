import { describe, expect, test } from 'vitest';

import { liveAgain } from './history.ts';
import { recordings } from './recording.ts';

/** Each has failed once, or would without what its title says. `npm run fuzz -- --replay <name>` tells it step by step. */
describe('histories that were recorded hold', () => {
  test.for(recordings().map(([name, recording]) => [recording.title, name, recording] as const))(
    '%s',
    async ([, name, recording]) => {
      const { failure } = await liveAgain(recording);
      expect(failure, name).toBeUndefined();
    },
  );
});
