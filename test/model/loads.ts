import type { CatchUp, Replica } from '../../src/client/replica/replica.ts';
import { applyChangesToLeaves } from '../../src/protocol/changes.ts';
import type { EditLedger } from './edit-ledger.ts';
import { copyLeaves } from './leaves.ts';

/**
 * Loads (VIEW-9): tells the ledger of held edits that gave way to loaded content. To be called with each replica before
 * anything happens to it.
 */
export function watchLoads(replica: Replica, ledger: () => EditLedger): void {
  const catchUp = replica.catchUp.bind(replica);
  Object.assign(replica, {
    catchUp: (missed: CatchUp): boolean => {
      const { changes, heldReplacedBy } = missed;
      const { held } = replica;
      const isDone = catchUp(missed);
      if (!isDone || held === undefined || heldReplacedBy === undefined) return isDone;
      const shown = copyLeaves(heldReplacedBy);
      if (changes !== undefined) applyChangesToLeaves(shown, changes);
      for (const push of replica.pending) applyChangesToLeaves(shown, push.changes);
      ledger().loaded(held, shown);
      return isDone;
    },
  });
}

/**
 * Returns a function that tells if edits become pushes at once: a start of saving may wait for the Store (VIEW-6). To be called with
 * each replica before anything happens to it.
 */
export function watchSaving(replica: Replica): () => boolean {
  let isSaving = false;
  const setSaving = replica.setSaving.bind(replica);
  Object.assign(replica, {
    setSaving: (isSavingNow: boolean): void => {
      isSaving = isSavingNow;
      setSaving(isSavingNow);
    },
  });
  return () => isSaving;
}
