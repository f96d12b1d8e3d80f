/** The steps that the answers in `session-state.ts` are made of, and the questions that they ask about a state. */
import { TinyBasePartyKitError, type ErrorCode } from '../../protocol/errors.ts';
import type { Cursor } from '../../protocol/messages.ts';
import type {
  Action,
  Facts,
  Nothing,
  Position,
  SessionState,
  Stage,
  Step,
  SyncIntent,
  WithdrawalReason,
} from './session-types.ts';

export const NOTHING: Nothing = { type: 'nothing' };

/** Stays in the stage. */
export function stay(state: SessionState, ...actions: readonly Action[]): Step {
  return { state, actions };
}

/** Goes to a stage. If that ends the conversation with the room, hangs up first. */
export function to(state: SessionState, stage: Stage, ...actions: readonly Action[]): Step {
  const hangsUp = isTalking(state.stage) && !isTalking(stage);
  return { state: { ...state, stage }, actions: hangsUp ? ['hang-up', ...actions] : actions };
}

/** Goes to idle. */
export function rest(state: SessionState, ...actions: readonly Action[]): Step {
  return to(state, { phase: 'idle', position: kept(state.stage) }, ...actions);
}

/** Goes to connecting. */
export function connect(
  state: SessionState,
  position: Position,
  ...actions: readonly Action[]
): Step {
  return to(state, { phase: 'connecting', position }, ...actions);
}

/** Goes to live. */
export function live(state: SessionState, cursor: Cursor, ...actions: readonly Action[]): Step {
  return to(state, { phase: 'live', position: { type: 'base', cursor } }, ...actions);
}

/** Goes to stopped. With `isForGood`, nothing starts the session again. */
export function stop(
  state: SessionState,
  error: TinyBasePartyKitError,
  isForGood: boolean,
  ...actions: readonly Action[]
): Step {
  return to(
    state,
    { phase: 'stopped', position: NOTHING, error, isOver: isForGood },
    ...actions,
    'stop',
  );
}

/** Says hello again, after a pause: the client and the room do not agree any more. */
export function resync(state: SessionState, ...actions: readonly Action[]): Step {
  // While it loads, the content is on its way, and the next hello will name its cursor.
  return state.stage.phase === 'loading'
    ? stay(state, ...actions)
    : connect(state, kept(state.stage), 'forget', 'retry-later', ...actions);
}

/** Sends pending pushes if the room takes them now. */
export function flushIfLive(state: SessionState, ...actions: readonly Action[]): Step {
  const { phase } = state.stage;
  return phase === 'live' || phase === 'reduced'
    ? stay(state, ...actions, 'flush')
    : stay(state, ...actions);
}

/** Returns the action that tells the app of an error. */
export function report(error: unknown): Action {
  return { type: 'report', error };
}

/** Changes the intent. */
export function intend(state: SessionState, intent: Partial<SyncIntent>): SessionState {
  return { ...state, intent: { ...state.intent, ...intent } };
}

/** Ends the intents that are for once: they were done, or tried. */
export function endOnce(state: SessionState): SessionState {
  return intend(state, { isLoadingOnce: false, isSavingOnce: false });
}

/** True if the app wants something, or a push is pending. */
export function isWanted({ intent }: SessionState, { hasPending }: Facts): boolean {
  return hasPending || Object.values(intent).includes(true);
}

/** True from hello on, until the conversation ends. */
export function isTalking({ phase, position }: Stage): boolean {
  return (
    phase === 'catching-up' || phase === 'live' || (phase === 'empty' && position.type !== 'stock')
  );
}

/** True if the app ended the session. */
export function isOver(stage: Stage): boolean {
  return stage.phase === 'stopped' && stage.isOver;
}

/** True if the room refused the token, and nothing else: with another one, it may let the client in. */
export function isRefused(stage: Stage): boolean {
  if (stage.phase !== 'stopped' || stage.isOver) return false;
  const { code } = stage.error;
  return code === 'unauthorized' || code === 'forbidden';
}

/** True if the room had refused the token, and the client is about to ask again (GATE-13). */
export function isToBegin(stage: Stage): boolean {
  return stage.phase === 'loading' && stage.isToBegin === true;
}

/** Returns the position that stays valid without a socket. A stock room does not send missed changes later. */
export function kept({ position }: Stage): Position {
  return position.type === 'stock' ? NOTHING : position;
}

/** Returns undefined for an error that is not about one push or seed alone. */
export function withdrawalOf(error: unknown): WithdrawalReason | undefined {
  const code = codeOf(error);
  if (code === 'forbidden') return 'access';
  return code === 'malformed' || code === 'too-large' ? code : undefined;
}

/** Returns the code of an error of this package. */
export function codeOf(error: unknown): ErrorCode | undefined {
  return error instanceof TinyBasePartyKitError ? error.code : undefined;
}
