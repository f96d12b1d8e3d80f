/** The phase loading of the state machine in `session-state.ts`: requests the content, and gives a seed to a room without a Store. */
import { composeChanges, type Changes } from '../../protocol/changes.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import type { Cursor } from '../../protocol/messages.ts';
import {
  codeOf,
  connect,
  endOnce,
  isWanted,
  NOTHING,
  report,
  rest,
  stay,
  stop,
  to,
  withdrawalOf,
} from './session-steps.ts';
import type {
  Action,
  DetailedEvent,
  Facts,
  Fold,
  Position,
  SessionState,
  Stage,
  Step,
} from './session-types.ts';

const LOADING = { phase: 'loading', position: NOTHING, early: [], isOutdated: false } as const;

/** The number of times that a client gives its seed, in about ten seconds: a server may be restarting. */
const SEED_TRIES = 8;

/** The number of reloads in a row, or of seeds that made no Store, that are no accident: a cache or another program may answer. */
export const SUSPICIOUS = 2;

const ANSWERED_MESSAGE =
  'Something answers GET or PUT in the place of the room. If your room overrides onRequest, return super.onRequest(request) for all other requests.';

/** Requests the content. */
export function load(state: SessionState, ...actions: readonly Action[]): Step {
  const { reloads, seedTries } = state;
  const isCached = reloads >= SUSPICIOUS || (seedTries >= SUSPICIOUS && seedTries < SEED_TRIES);
  return to(state, LOADING, ...actions, isCached ? 'load-past-caches' : 'load');
}

/** Begins again after the room has refused the client. */
export function beginAnew(state: SessionState, ...actions: readonly Action[]): Step {
  return to(state, { ...LOADING, isToBegin: true }, ...actions, 'begin-anew');
}

/** Handles a welcome that says reload. After another reload, the loaded content was too old, so the next attempt has a pause (JOIN-10). */
export function reload(before: SessionState): Step {
  const state = { ...before, reloads: before.reloads + 1 };
  if (state.reloads >= SUSPICIOUS) return to(state, LOADING, 'forget', 'retry-later');
  // A client that was live did not ask.
  return before.stage.phase === 'catching-up' ? load(state) : to(state, LOADING, 'retry-soon');
}

/** Handles a failed request: tries again later, unless each further one would fail the same way. */
export function requestFailed(
  state: SessionState,
  error: unknown,
  facts: Facts,
  ...actions: readonly Action[]
): Step {
  if (state.stage.phase !== 'loading') return stay(state, report(error));
  const all = [report(error), ...actions, 'settle'] as const;
  if (error instanceof TinyBasePartyKitError && !error.isRetryable)
    return stop(state, error, false, ...all);
  return isWanted(state, facts) ? stay(state, ...all, 'retry-later') : rest(state, ...all);
}

/** Handles an answer to GET. */
export function loaded(
  state: SessionState,
  { early, isOutdated }: Stage & { readonly phase: 'loading' },
  answer: DetailedEvent & { readonly type: 'content' },
  facts: Facts,
): Step {
  const cursor = answer.cursor ?? state.welcomed;
  const content = cursor?.version === 0 ? undefined : answer.content;
  const isStock = cursor === undefined;
  if (content === undefined)
    return cursor === undefined || cursor.version === 0
      ? noStore(state, cursor)
      : requestFailed(endOnce(state), answeredByOthers(), facts, 'show-initial');
  if (isStock && isOutdated) return load(state);
  if (isStock && content.isEmpty && early.length === 0 && !state.isStockReported)
    return found(state, { type: 'stock', hasStore: false, isDoubtful: true });
  const { isFollowing, isLoadingOnce } = state.intent;
  const rooted = { ...state, isRooted: true, seedTries: 0 };
  const reports = isStock || answer.cursor !== undefined ? [] : [report(answeredByOthers())];
  // The room may have a pending push already, and then this content includes it.
  if (!isStock && facts.hasPending && facts.oldestUnanswered <= facts.everSent)
    return {
      ...found(rooted, { type: 'staged', cursor, content, isShown: isLoadingOnce }, ...reports),
      fold: isLoadingOnce ? { type: 'replace-held', content } : undefined,
    };
  const { shownEpoch = isFollowing || isLoadingOnce ? cursor?.epoch : undefined } = state;
  return {
    ...found(
      { ...rooted, shownEpoch },
      isStock ? { type: 'stock', hasStore: true } : { type: 'base', cursor },
      ...reports,
    ),
    fold: contentFold(rooted, content, isStock ? composeChanges(early) : undefined),
  };
}

/** Handles a room without a Store. If it did not take the seed, its content counts as empty, and the next push may be the initial content (SEED-2). */
function noStore(state: SessionState, cursor: Cursor | undefined): Step {
  const { intent, isRooted } = state;
  const isSeedLost = isGivenUp(state);
  const isGiven = !isSeedLost && (intent.isSaving || intent.isSavingOnce);
  const ours: Position =
    isSeedLost && cursor !== undefined ? { type: 'base', cursor } : { type: 'no-store' };
  return {
    ...(isGiven
      ? stay(state)
      : found(state, cursor === undefined ? { type: 'stock', hasStore: false } : ours)),
    // Without a cursor, something else may have answered: then content of the room stays.
    fold:
      isSeedLost && !(isRooted && cursor === undefined)
        ? contentFold(state, new LeafMap(), undefined)
        : { type: 'seed', isGiven },
  };
}

/** Gives the seed to a room that was seen to have no Store: the answer tells if it has one by now. */
export function offerSeed(state: SessionState, ...actions: readonly Action[]): Step {
  return { ...noStore(state, undefined), ...to(state, LOADING, ...actions) };
}

function contentFold(
  { intent: { isFollowing, isLoadingOnce }, isRooted }: SessionState,
  content: LeafMap<Leaf>,
  changes: Changes | undefined,
): Fold {
  return {
    type: 'content',
    content,
    changes,
    isShown: isFollowing || isLoadingOnce,
    heldReplacedBy: isLoadingOnce ? content : undefined,
    isSeedLost: !isRooted,
  };
}

/** Handles an answer: the content of the room is known now. */
function found(state: SessionState, position: Position, ...actions: readonly Action[]): Step {
  return connect(endOnce(state), position, ...actions, 'loaded', 'settle', 'resume');
}

/** Handles an accepted seed: loads again. If that was tried before and the room still has no Store, something else may have answered. */
export function seeded(state: SessionState): Step {
  const next = tried(state);
  if (next.seedTries === 1) return load(next);
  const told = report(answeredByOthers());
  return isGivenUp(next) ? seedRefused(next, told) : stay(next, told, 'retry-later');
}

/** Only the documented answer counts (SEED-8). If the room will never take the seed, it is not given again. */
export function seedFailed(state: SessionState, error: unknown, facts: Facts): Step {
  const isTry = codeOf(error) === 'network';
  const next = isTry ? tried(state) : state;
  const isOver = withdrawalOf(error) !== undefined || (isTry && isGivenUp(next));
  if (state.stage.phase === 'loading' && isOver) return seedRefused(next, report(error));
  // A save that was asked for once is still wanted.
  return requestFailed(next, error, facts);
}

/** Handles a seed that the room will never take: it is not given again. GET is answered, so nothing has to wait. */
export function seedRefused(state: SessionState, ...actions: readonly Action[]): Step {
  return load({ ...state, seedTries: SEED_TRIES }, ...actions, 'reset-retry');
}

function isGivenUp({ seedTries }: SessionState): boolean {
  return seedTries >= SEED_TRIES;
}

function tried(state: SessionState): SessionState {
  return { ...state, seedTries: state.seedTries + 1 };
}

function answeredByOthers(): TinyBasePartyKitError {
  return new TinyBasePartyKitError('network', ANSWERED_MESSAGE);
}
