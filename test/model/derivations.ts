import type { CatchUp, Replica } from '../../src/client/replica/replica.ts';
import { deletesRow, type Changes } from '../../src/protocol/changes.ts';
import { VALUES } from '../../src/protocol/leaf.ts';
import { leafName } from './leaves.ts';
import { PropertyFailure } from './world.ts';

/**
 * Derivation (DERIVE-1, DERIVE-2): a commit makes a client push once at most, and nothing that the commit set; whatever else
 * a client is told makes it push nothing. To be called with each replica before anything happens to it.
 */
export function watchDerivations(
  replica: Replica,
  name: string,
  fail: (failure: PropertyFailure) => void,
): void {
  const commit = replica.commit.bind(replica);
  const catchUp = replica.catchUp.bind(replica);
  const acknowledgeCorrected = replica.acknowledgeCorrected.bind(replica);
  const expectAtMost = (most: number, what: string, action: () => boolean): boolean => {
    const before = replica.lastNumber;
    const isDone = action();
    const pushed = replica.pending.filter(({ number }) => number > before);
    if (pushed.length > most || pushed.some((push) => push.isDerived !== true)) {
      const message = `${name} made ${pushed.length} pushes of ${what}`;
      fail(new PropertyFailure('derivation', message));
    }
    return isDone;
  };
  Object.assign(replica, {
    commit: (changes: Changes, isDerived?: boolean, version?: number): boolean =>
      expectAtMost(isDerived === true ? 0 : 1, 'a commit', () => {
        const before = replica.lastNumber;
        const isDone = commit(changes, isDerived, version);
        for (const push of replica.pending) {
          if (push.number > before) checkLeaves(push.changes, changes, name, fail);
        }
        return isDone;
      }),
    catchUp: (missed: CatchUp): boolean => {
      // Pushes that a reload says were processed raise the number, too.
      const last = Math.max(replica.lastNumber, missed.lastPush ?? 0);
      const isDone = catchUp(missed);
      if (replica.lastNumber > last)
        fail(new PropertyFailure('derivation', `${name} pushed of what a welcome brought`));
      return isDone;
    },
    acknowledgeCorrected: (correction: Changes): boolean =>
      expectAtMost(0, 'a correction', () => acknowledgeCorrected(correction)),
  });
}

/** Checks that a passive client overwrites nobody: it derives only leaves that the commit did not set. */
function checkLeaves(
  derived: Changes,
  commit: Changes,
  name: string,
  fail: (failure: PropertyFailure) => void,
): void {
  derived.leaves.forEach((leaf, table, row, cell) => {
    const isSet =
      commit.leaves.has(table, row, cell) || (table !== VALUES && deletesRow(commit, table, row));
    if (!isSet) return;
    const what = `${leafName(table, row, cell)} = ${String(leaf)}`;
    fail(new PropertyFailure('derivation', `${name} overwrote what a commit set: ${what}`));
  });
}
