/**
 * The client's connection to its room, as one pure state machine. This file alone decides what the client does:
 * `createSyncSession` asks {@link transition} at each event, and does what it says.
 *
 * ```
 *          something is wanted            the content came, or the room has none
 *   idle ──────────────────────▶ loading ───────────────────────────────────▶ connecting ◀── closed, or resync
 *    ▲                            ▲ ▲ ▲                                         │ │          (from each phase below)
 *    │ nothing is wanted          │ │ └── nothing is held ──────────────────────┘ │ the socket is open: says hello
 *    │ any more (from each        │ │                                             ▼
 *    │ phase but loading)         │ └── welcome: reload ──────────────────── catching-up
 *                                 │                                             │ welcome   │ no answer:
 *                                 │                                             ▼           ▼ a stock room
 *   stopped                       └── welcome: reload ───────────────────── live, empty   reduced, empty
 * ```
 *
 * - **idle**: the app wants nothing, and no push is pending.
 * - **loading**: requests the content over HTTP. If the room has none and the app saves, gives it a seed and requests
 *   again. Repeats a failed request later. The earlier position is gone. If the room does not take the seed, the client
 *   is then live at version 0.
 * - **connecting**: waits for the socket to open. After a resync, the socket may be open: then it waits for a pause.
 * - **catching-up**: has said hello, and waits for the welcome.
 * - **live**: holds every commit of the room. Commits and acks come in order, and pushes leave.
 * - **empty**: the room has no Store. When it gets one, it says reload.
 * - **reduced**: the room runs TinyBase's own server (a *stock room*). Changes come and leave without numbers.
 * - **stopped**: every further attempt would fail the same way, or the app ended it (`isOver`). Reached from each phase. Another
 *   room starts it again. So does the app, if the room has refused its token: it starts something, or opens the socket.
 *
 * A *resync* follows when the client and the room do not agree, for example after a gap in the versions: the client says hello
 * again, and the welcome tells what happened since its cursor.
 *
 * The states, events and actions are in `session-types.ts`. The functions below are in groups: one case for each event; then start and
 * connect. The phase loading is in `session-loading.ts`, the answers to the room's messages in `session-messages.ts`. All of them end
 * with a step of `session-steps.ts`.
 *
 * A step that changes the Store has a `fold`. If the Store is busy with a transaction of the app, nothing of the step
 * happens, and the same event comes again later.
 */
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import {
  beginAnew,
  load,
  loaded,
  offerSeed,
  requestFailed,
  seeded,
  seedFailed,
  seedRefused,
} from './session-loading.ts';
import { heard } from './session-messages.ts';
import type { RestoredSession } from './session-ports.ts';
import {
  connect,
  endOnce,
  flushIfLive,
  intend,
  isOver,
  isRefused,
  isTalking,
  isToBegin,
  isWanted,
  kept,
  NOTHING,
  report,
  rest,
  resync,
  stay,
  stop,
  to,
} from './session-steps.ts';
import type {
  Action,
  DetailedEvent,
  Facts,
  Position,
  SessionEvent,
  SessionState,
  SimpleEvent,
  Step,
  Stock,
  SyncIntent,
} from './session-types.ts';

/** Returns the answer to an event. Has no side effects. */
export function transition(state: SessionState, event: SessionEvent, facts: Facts): Step {
  return typeof event === 'string'
    ? afterSimple(state, event, facts)
    : afterDetailed(state, event, facts);
}

const NO_INTENT: SyncIntent = {
  isFollowing: false,
  isSaving: false,
  isLoadingOnce: false,
  isSavingOnce: false,
};

/** The state of a session that was not started. */
export const INITIAL_STATE: SessionState = {
  stage: { phase: 'idle', position: NOTHING },
  intent: NO_INTENT,
  generation: 0,
  welcomed: undefined,
  reloads: 0,
  hasExpired: false,
  seedTries: 0,
  isRooted: false,
  shownEpoch: undefined,
  isStockReported: false,
};

/** Returns the state of a session that continues where another one has ended (KEEP-1). */
export function restored(state: SessionState, { client, base }: RestoredSession): SessionState {
  return {
    ...state,
    ...(client && { generation: client.generation }),
    ...(base && {
      stage: { phase: 'idle', position: { type: 'base', cursor: base.cursor, isShown: true } },
      isRooted: true,
      shownEpoch: base.cursor.epoch,
    }),
  };
}

function afterSimple(state: SessionState, event: SimpleEvent, facts: Facts): Step {
  const { stage } = state;
  const { phase } = stage;
  switch (event) {
    case 'follow':
      // What was restored is shown, and the room knows what came after it.
      return stage.position.type === 'base' && stage.position.isShown
        ? resume(intend(state, { isFollowing: true }), facts, 'settle')
        : start(state, { isFollowing: true });
    case 'follow-too':
      return phase === 'stopped'
        ? stay(intend(state, { isFollowing: true }), 'settle')
        : afterSimple(state, 'follow', facts);
    case 'load-once':
      return start(state, { isLoadingOnce: true });
    case 'start-saving':
      return startSaving(state, { isSaving: true }, facts);
    case 'save-once':
      return startSaving(state, { isSavingOnce: true }, facts, 'release-held');
    case 'stop-following':
      return resume(intend(state, { isFollowing: false }), facts);
    case 'stop-saving':
      return resume(intend(state, { isSaving: false }), facts);
    case 'resume':
      return resume(state, facts);
    case 'edited':
      return phase === 'idle' ? resume(state, facts) : flushIfLive(state);
    case 'durable':
      return phase === 'catching-up' ? stay(state, 'hello') : flushIfLive(state);
    case 'opened':
      return opened({ ...state, welcomed: undefined }, facts);
    case 'closed':
      return phase === 'loading' || phase === 'stopped'
        ? stay(state, 'forget')
        : to(
            state,
            { phase: phase === 'idle' ? phase : 'connecting', position: kept(stage) },
            'forget',
          );
    case 'connected':
      return phase === 'connecting' ? connected(state, stage.position, facts) : stay(state);
    case 'silent':
      // A stock room answers no hello: only its content can tell that the room has become one (STOCK-4).
      if (phase === 'catching-up') return to(state, { phase, position: NOTHING }, 'reconnect');
      return isTalking(stage) ? stay(state, 'reconnect') : stay(state);
    case 'network-changed':
      if (phase === 'loading') return stay(state, 'retry-now');
      return isTalking(stage) ? stay(state, 'check') : stay(state);
    case 'retry':
      if (phase === 'connecting') return stay(state, 'connect');
      if (isToBegin(stage)) return load(state, 'reconnect');
      return phase === 'loading' ? load(state) : stay(state);
    case 'seeded':
      return phase === 'loading' ? seeded(state) : stay(state);
    case 'seed-refused':
      return phase === 'loading' ? seedRefused(state) : stay(state);
    case 'taken':
      // The room has stopped the socket of a client that it refused.
      return phase === 'stopped'
        ? leave(state, state.generation, 'enter-again', 'reconnect')
        : leave(state, state.generation, 'enter-again');
    case 'unanswered':
      return phase === 'catching-up' && stage.position.type === 'stock'
        ? reduced(state, stage.position)
        : stay(state);
  }
}

function afterDetailed(state: SessionState, event: DetailedEvent, facts: Facts): Step {
  const { stage } = state;
  const { phase } = stage;
  switch (event.type) {
    case 'content':
      return phase === 'loading' ? loaded(state, stage, event, facts) : stay(state);
    case 'load-failed':
      return requestFailed(endOnce(state), event.error, facts, 'show-initial');
    case 'seed-failed':
      return seedFailed(state, event.error, facts);
    case 'moved':
      // Edits of the old room are not sent to another one.
      return leave(state, event.generation, 'move');
    case 'stopped':
      return phase === 'stopped'
        ? stay(state)
        : stop(state, event.error, false, report(event.error));
    case 'ended':
      return isOver(stage) ? stay(state) : stop(intend(state, NO_INTENT), event.error, true);
    case 'stock':
      if (stage.position.type === 'stock' && stage.position.hasStore && phase !== 'connecting')
        // Nothing distinguishes an edit from another Store's reaction to one.
        return {
          ...stay(state),
          fold: { type: 'commit', changes: event.changes, isDerived: true },
        };
      if (phase === 'loading')
        return stay({ ...state, stage: { ...stage, early: [...stage.early, event.changes] } });
      // Somebody gave the stock room its Store. From other rooms, such changes are not for this client.
      return stage.position.type === 'stock' && phase !== 'connecting'
        ? resync(state)
        : stay(state);
    default:
      if (phase === 'idle' || phase === 'stopped') return stay(state);
      // A stock room does not send such messages: it has become one of ours, and its content will show that.
      if (stage.position.type === 'stock' && phase !== 'catching-up')
        return phase === 'connecting' ? stay(state) : resync(state);
      return heard(state, event, facts);
  }
}

/** Begins as one that was never there, when no transaction is open. */
function leave(before: SessionState, generation: number, ...actions: readonly Action[]): Step {
  const { stage, intent, isRooted } = before;
  if (isOver(stage)) return stay(before);
  const state = { ...INITIAL_STATE, stage, intent, isRooted, generation };
  return {
    ...to(state, { phase: 'idle', position: NOTHING }, ...actions, 'resume'),
    fold: { type: 'leave' },
  };
}

function start(before: SessionState, intent: Partial<SyncIntent>): Step {
  const state = intend(before, intent);
  if (isRefused(state.stage)) return beginAnew(state);
  if (isToBegin(state.stage)) return stay(state);
  return state.stage.phase === 'stopped' ? stay(state, 'settle') : load(state);
}

/** Gives a room without a Store its initial content. */
function startSaving(
  before: SessionState,
  intent: Partial<SyncIntent>,
  facts: Facts,
  ...actions: readonly Action[]
): Step {
  const state = intend(before, intent);
  const { phase, position } = state.stage;
  if (isRefused(state.stage)) return beginAnew(state, ...actions);
  if (phase === 'stopped') return stay(state, ...actions, 'settle');
  if (phase === 'loading') return stay(state, ...actions);
  const hasStore = position.type === 'stock' ? position.hasStore : 'cursor' in position;
  if (hasStore) return resume(intend(state, { isSavingOnce: false }), facts, ...actions, 'settle');
  // If the room was seen to have no Store, the answer to the seed tells if it has one by now.
  return position.type === 'no-store' ? offerSeed(state, ...actions) : load(state, ...actions);
}

/** Moves to the phase that the intent needs. */
function resume(state: SessionState, facts: Facts, ...actions: readonly Action[]): Step {
  const { phase, position } = state.stage;
  if (phase === 'stopped' || phase === 'loading') return stay(state, ...actions);
  if (!isWanted(state, facts)) return rest(state, ...actions);
  if (phase !== 'idle' && phase !== 'connecting') return flushIfLive(state, ...actions);
  return position.type === 'nothing'
    ? load(state, ...actions)
    : connect(state, position, ...actions, 'connect');
}

const STOCK_MESSAGE =
  "This room runs TinyBase's own server: edits may be lost silently. Change the server's import to tinybase-partykit.";

function opened(state: SessionState, facts: Facts): Step {
  const { stage } = state;
  const actions = ['forget', 'reset-retry'] as const;
  // The app has opened it, with another token perhaps.
  if (isRefused(stage))
    return isWanted(state, facts) ? load(state, ...actions) : rest(state, ...actions);
  if (stage.phase === 'stopped') return stay(state);
  if (isToBegin(stage)) return load(state, ...actions);
  if (stage.phase === 'loading')
    return stay({ ...state, stage: { ...stage, isOutdated: true } }, ...actions, 'retry-now');
  return connected(state, kept(stage), facts, ...actions);
}

/** Handles an open socket, when there is nothing else to wait for. */
function connected(
  state: SessionState,
  position: Position,
  facts: Facts,
  ...actions: readonly Action[]
): Step {
  if (!isWanted(state, facts)) return rest(state, ...actions);
  if (position.type === 'nothing') return load(state, ...actions);
  return to(
    { ...state, generation: state.generation + 1 },
    { phase: 'catching-up', position },
    ...actions,
    'hello',
  );
}

/** The room has not answered hello: it is a stock one (STOCK-4). */
function reduced(before: SessionState, position: Stock): Step {
  const state = { ...before, isStockReported: true };
  const reports = before.isStockReported
    ? []
    : [report(new TinyBasePartyKitError('protocol', STOCK_MESSAGE))];
  if (position.isDoubtful === true) return load(state, ...reports);
  return position.hasStore
    ? to(state, { phase: 'reduced', position }, ...reports, 'flush')
    : to(state, { phase: 'empty', position }, ...reports);
}
