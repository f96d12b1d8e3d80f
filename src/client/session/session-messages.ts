/** The answers of the state machine in `session-state.ts` to the messages of the room. */
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { ErrorMessage, RoomMessage, Welcome } from '../../protocol/messages.ts';
import { refusedTwice } from './refused-twice.ts';
import { reload } from './session-loading.ts';
import { isTalking, live, report, resync, stay, stop, to, withdrawalOf } from './session-steps.ts';
import type { Facts, SessionState, Step } from './session-types.ts';

/** A room that says a higher generation is not believed: hellos above it would soon be none that a room can read. */
const HIGHEST_GENERATION = 2 ** 52;
const GENERATION_MESSAGE = 'The generation of the welcome is too high.';

const NEW_ROOM_MESSAGE = 'The room began anew: it was wiped or restored. Unconfirmed edits stay.';

/** Handles a message. */
export function heard(
  state: SessionState,
  message: Exclude<RoomMessage, { readonly type: 'stock' | 'mark' }>,
  facts: Facts,
): Step {
  const { stage } = state;
  const { hasPending, oldestUnanswered, pinged } = facts;
  const cursor = stage.phase === 'live' ? stage.position.cursor : undefined;
  switch (message.type) {
    case 'welcome':
      return welcomed(state, message, facts);
    case 'commit': {
      const { version, changes, isDerived = false, tag = cursor?.tag } = message;
      if (cursor === undefined) return stay(state);
      if (version !== cursor.version + 1) return resync(state);
      // What the room's hooks write while it decides a push is no sign that it takes the push.
      const actions = hasPending ? [] : (['relax-retry'] as const);
      return {
        ...live(state, { ...cursor, version, tag }, ...actions),
        fold: { type: 'commit', changes, isDerived, version },
      };
    }
    case 'ack': {
      const { number, version, isCommit, tag = cursor?.tag } = message;
      if (cursor === undefined) return stay(state);
      if (
        !hasPending ||
        number !== oldestUnanswered ||
        version !== cursor.version + (isCommit ? 1 : 0)
      )
        return resync(state);
      return {
        ...live(state, { ...cursor, version, tag }, 'relax-retry', 'resume'),
        fold: { type: 'ack', ack: message },
      };
    }
    case 'receipt':
      return cursor === undefined
        ? stay(state)
        : stay(state, { type: 'received', receipt: message }, 'flush');
    case 'pong': {
      // A difference shows whatever was lost on the way (ORDER-7).
      const { version, lastPush } = message;
      const isComplete =
        pinged === undefined ||
        stage.phase === 'empty' ||
        (version === cursor?.version && lastPush < oldestUnanswered && lastPush >= pinged);
      return isComplete ? stay(state, 'ponged') : resync(state, 'ponged');
    }
    case 'alive':
      return stay(state, 'alive');
    case 'error':
      return failed(state, message);
  }
}

/** Handles the answer to hello. */
function welcomed(before: SessionState, welcome: Welcome, facts: Facts): Step {
  const state = { ...before, hasExpired: false, isStockReported: false };
  const { stage, shownEpoch } = state;
  const { phase, position } = stage;
  const { generation, cursor, lastPush, changes, content, limits, isSetBack } = welcome;
  if (generation !== state.generation || !isTalking(stage)) {
    if (changes !== undefined || generation <= state.generation || phase !== 'catching-up')
      return stay(state);
    // This device has lost its latest generations: the next hello is above those that the room knows.
    return generation <= HIGHEST_GENERATION
      ? resync({ ...state, generation })
      : resync(state, report(new TinyBasePartyKitError('malformed', GENERATION_MESSAGE)));
  }
  const action = { type: 'welcomed', limits } as const;
  if (changes === undefined || position.type === 'stock') {
    return position.type === 'no-store' && cursor.version === 0
      ? to({ ...state, reloads: 0 }, { phase: 'empty', position }, action)
      : reload({
          ...state,
          welcomed: cursor,
          shownEpoch: isSetBack ? shownEpoch && '' : shownEpoch,
        });
  }
  if (phase !== 'catching-up') return stay(state);
  const staged = position.type === 'staged' ? position : undefined;
  const isShown = state.intent.isFollowing || staged?.isShown === true;
  const isNewRoom = isShown && shownEpoch !== undefined && shownEpoch !== cursor.epoch;
  // A room without a Store has another epoch whenever it starts, and nothing that could be lost.
  const nextEpoch = cursor.version === 0 ? undefined : cursor.epoch;
  const next = { ...state, reloads: 0, ...(isShown && { shownEpoch: nextEpoch }) };
  // Content may disappear that the user has not deleted (JOIN-8).
  const news = isNewRoom ? [report(new TinyBasePartyKitError('stale', NEW_ROOM_MESSAGE))] : [];
  // More than was sent: this device has lost pushes, and their numbers are taken (OFFLINE-6).
  const isForgetful = lastPush > Math.max(facts.everSent, facts.oldestUnanswered - 1);
  return {
    ...(isForgetful
      ? resync(live(next, cursor).state, action, ...news, 'renew')
      : live(next, cursor, action, 'flush', ...news)),
    fold: {
      type: 'catch-up',
      content: content ?? staged?.content,
      lastPush: isForgetful ? facts.everSent : lastPush,
      changes,
      isShown,
    },
  };
}

/** Handles an error of the room. */
function failed(state: SessionState, { code, message, push }: ErrorMessage): Step {
  const error = new TinyBasePartyKitError(code, message);
  // The next attempt to connect asks for the query, and so for a new token.
  if (code === 'expired') {
    if (!state.hasExpired) return stay({ ...state, hasExpired: true }, report(error), 'reconnect');
    const refused = refusedTwice(error);
    return stop({ ...state, hasExpired: false }, refused, false, report(refused));
  }
  // Before the welcome, that is about a client which has used this socket before. The room closes it (JOIN-5).
  const { phase } = state.stage;
  const isWelcome = phase === 'live' || phase === 'empty' || state.welcomed !== undefined;
  if (code === 'replaced' && !isWelcome) return stay(state);
  if (error.isRetryable) return resync(state, report(error));
  const reason = withdrawalOf(error);
  if (push !== undefined && reason !== undefined) {
    return state.stage.phase === 'live'
      ? stay(state, report(error), { type: 'withdraw', push, reason })
      : stay(state, report(error));
  }
  // About one message, which may be the app's own.
  return code === 'malformed' || code === 'too-large'
    ? stay(state, report(error))
    : stop(state, error, false, report(error));
}
