import { assert, asyncProperty, integer, nat, noShrink } from 'fast-check';
import { describe, expect, test } from 'vitest';

import { liveThrough, type HistoryPlan } from './history.ts';

/** Another seed of all histories, for whoever wants others: `SEED=7 npx vitest run test/model`. */
const SEED = Number(process.env['SEED'] ?? 20_261_121);
const HISTORIES = 300;
const TRACE_LINES = 80;

/** Whatever failed has to be found again: the message says how, and how it ended. */
async function holds(plan: HistoryPlan): Promise<void> {
  const { failure, trace } = await liveThrough(plan);
  if (failure === undefined) return;
  const again = `npm run fuzz -- --histories 1 --seed ${plan.seed} --length ${plan.length} --minimise`;
  const end = trace.slice(-TRACE_LINES).join('\n');
  throw new Error(
    `${failure.message}\n\nThe history, and what it needs: ${again}\n\nHow it ended:\n${end}`,
    {
      cause: failure,
    },
  );
}

describe('whatever happens to a room and its clients, the properties of the design hold', () => {
  test.each([1, 2, 3, 4])('in histories of any kind, part %i', async (part) => {
    const histories = asyncProperty(
      noShrink(nat({ max: 2 ** 31 - 1 })),
      integer({ min: 20, max: 200 }),
      async (seed, length) => await holds({ seed, length }),
    );
    const all = assert(histories, { seed: SEED + part, numRuns: HISTORIES });
    await expect(all).resolves.toBeUndefined();
  });
});
