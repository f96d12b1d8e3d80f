import { composeChanges, isEmptyChanges } from '../../protocol/changes.ts';
import type { Ack } from '../../protocol/messages.ts';
import type { ContentLoader } from '../content/content-loader.ts';
import type { Seed } from '../content/seed.ts';
import type { Outbox } from '../offline/outbox.ts';
import { refusalsOfCorrection, refusalsOfDropped, type Refusal } from '../replica/refusal.ts';
import type { Replica } from '../replica/replica.ts';
import type { Fold } from './session-types.ts';

/** The parts of a session that a fold uses. */
export interface FoldParts {
  readonly replica: Replica;
  readonly outbox: Outbox;
  readonly seed: Seed;
  readonly loader: Pick<ContentLoader, 'give'>;
  readonly onRefused: (refusals: readonly Refusal[]) => void;
}

/** True if it shows what others did. */
export function bringsRemoteChanges(fold: Fold): boolean {
  switch (fold.type) {
    case 'content':
    case 'replace-held':
    case 'commit':
      return true;
    case 'catch-up':
      return fold.content !== undefined || !isEmptyChanges(fold.changes);
    case 'ack':
      return fold.ack.correction !== undefined;
    case 'seed':
    case 'leave':
      return false;
  }
}

/** Changes the Store as the state machine says. Returns false if the Store is busy; then nothing changed. */
export function doFold(parts: FoldParts, fold: Fold): boolean {
  const { replica } = parts;
  switch (fold.type) {
    case 'content':
      if (fold.isSeedLost && !parts.seed.giveUp()) return false;
      return replica.catchUp(fold);
    case 'replace-held':
      return replica.catchUp({ isShown: true, heldReplacedBy: fold.content });
    case 'seed':
      return giveSeed(parts, fold);
    case 'catch-up':
      return catchUp(parts, fold);
    case 'commit':
      return replica.commit(fold.changes, fold.isDerived, fold.version);
    case 'ack':
      return acknowledge(parts, fold.ack);
    case 'leave':
      return replica.readBase() !== undefined;
  }
}

function giveSeed(
  { seed, loader }: FoldParts,
  { isGiven }: Fold & { readonly type: 'seed' },
): boolean {
  if (!seed.show()) return false;
  if (!isGiven) return true;
  const content = seed.read();
  if (content === undefined) return false;
  seed.tellRefusals();
  loader.give(content);
  return true;
}

function catchUp(
  { replica, outbox, onRefused }: FoldParts,
  fold: Fold & { readonly type: 'catch-up' },
): boolean {
  const { content, lastPush, changes } = fold;
  const answered = replica.pending.filter((push) => push.number <= lastPush);
  // Nothing to show, so the app's listeners should not hear of an empty transaction.
  const isUpToDate =
    content === undefined && isEmptyChanges(changes) && lastPush < replica.oldestUnanswered;
  if (!isUpToDate && !replica.catchUp(fold)) return false;
  outbox.answered(answered);
  if (content === undefined && answered.length > 0) {
    const sent = composeChanges(answered.map((push) => push.changes));
    onRefused(refusalsOfDropped(sent, changes, replica.base));
  }
  return true;
}

function acknowledge(
  { replica, outbox, onRefused }: FoldParts,
  { correction, reason }: Ack,
): boolean {
  const [push] = replica.pending;
  // Nothing of it was applied: what it set stays here, as where the client itself finds that it is too large (LIMIT-3).
  if (reason === 'too-large' && push !== undefined) replica.withdraw(push.number, reason);
  if (correction === undefined || reason === 'too-large') replica.acknowledge();
  else if (!replica.acknowledgeCorrected(correction)) return false;
  if (push === undefined) return true;
  outbox.answered([push]);
  // The room has ignored what the Store's own code set in a row that is not there any more (DERIVE-3).
  const isIgnored = reason === undefined && push.isDerived;
  if (correction !== undefined && reason !== 'too-large' && !isIgnored)
    onRefused(refusalsOfCorrection(push.changes, correction, reason ?? 'unknown'));
  return true;
}
