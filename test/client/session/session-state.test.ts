import { describe, expect, test } from 'vitest';

import { INITIAL_STATE, transition } from '../../../src/client/session/session-state.ts';
import type {
  Action,
  DetailedEvent,
  Facts,
  SessionEvent,
  SessionState,
  SimpleEvent,
  Stage,
  Step,
  SyncIntent,
} from '../../../src/client/session/session-types.ts';
import { TinyBasePartyKitError, type ErrorCode } from '../../../src/protocol/errors.ts';
import { changesOf, contentOf } from './scripted-room.ts';
import { TABLE } from './session-state-table.ts';

const CURSOR = { epoch: 'e', version: 5 };
const CONTENT = contentOf([{}, { v: 1 }]);
const CHANGES = changesOf([{}, { v: 2 }]);
const LIMITS = { framePushBytes: 1, pushBytes: 2 };
const GENERATION = 3;

const failure = (code: ErrorCode): TinyBasePartyKitError => new TinyBasePartyKitError(code, code);

/** One push, number 4, is pending, and was sent before the ping that waits. */
const FACTS: Facts = {
  hasPending: true,
  oldestUnanswered: 4,
  everSent: 4,
  pinged: 3,
};
const NO_PENDING: Facts = { ...FACTS, hasPending: false };

const following = (stage: Stage, rest: Partial<SessionState> = {}): SessionState => ({
  ...INITIAL_STATE,
  intent: { isFollowing: true, isSaving: true, isLoadingOnce: false, isSavingOnce: false },
  generation: GENERATION,
  stage,
  ...rest,
});

const BASE = { type: 'base', cursor: CURSOR } as const;
const STAGED = { type: 'staged', cursor: CURSOR, content: CONTENT, isShown: false } as const;
const NOTHING = { type: 'nothing' } as const;
const NO_STORE = { type: 'no-store' } as const;
const STOCK = { type: 'stock', hasStore: true } as const;
const LOADING = { phase: 'loading', position: NOTHING, early: [], isOutdated: false } as const;

/** Every phase, with whatever may be held in it. */
const STATES: Readonly<Record<Stage['phase'], Readonly<Record<string, SessionState>>>> = {
  idle: {
    'with nothing': { ...INITIAL_STATE, generation: GENERATION },
    'with a base': {
      ...INITIAL_STATE,
      generation: GENERATION,
      stage: { phase: 'idle', position: BASE },
    },
  },
  loading: {
    'for the first time': following(LOADING),
    'after a seed that got lost': following(LOADING, { seedTries: 1 }),
    'after a seed that was not taken': following(LOADING, { seedTries: 8 }),
    'after two that were not taken, again': following(
      { ...LOADING, isOutdated: true },
      { seedTries: 8, isRooted: true },
    ),
    'later, after a refused token': following({ ...LOADING, isToBegin: true }),
  },
  connecting: {
    'with nothing': following({ phase: 'connecting', position: NOTHING }),
    'with a base': following({ phase: 'connecting', position: BASE }),
    'with stock content': following({ phase: 'connecting', position: STOCK }),
  },
  'catching-up': {
    'from a base': following({ phase: 'catching-up', position: BASE }, { shownEpoch: 'old' }),
    'from staged content': following({ phase: 'catching-up', position: STAGED }),
    'after a token that had expired': following(
      { phase: 'catching-up', position: BASE },
      { hasExpired: true },
    ),
    'without a Store': following({ phase: 'catching-up', position: NO_STORE }),
    'after a reload': following({ phase: 'catching-up', position: BASE }, { reloads: 1 }),
    'with stock content': following({ phase: 'catching-up', position: STOCK }),
  },
  live: { following: following({ phase: 'live', position: BASE }) },
  empty: {
    'in our room': following({ phase: 'empty', position: NO_STORE }),
    'in a stock room': following({
      phase: 'empty',
      position: { type: 'stock', hasStore: false },
    }),
  },
  reduced: { following: following({ phase: 'reduced', position: STOCK }) },
  stopped: {
    'by an error': following({
      phase: 'stopped',
      position: NOTHING,
      error: failure('replaced'),
      isOver: false,
    }),
    'by a refused token': following({
      phase: 'stopped',
      position: NOTHING,
      error: failure('unauthorized'),
      isOver: false,
    }),
    'for good': following({
      phase: 'stopped',
      position: NOTHING,
      error: failure('destroyed'),
      isOver: true,
    }),
  },
};

const simple = <Name extends SimpleEvent>(name: Name): Record<string, Name> => ({ [name]: name });
const error = (code: ErrorCode): DetailedEvent => ({ type: 'error', code, message: code });

/** Every event, in every form that matters. */
const EVENTS: Readonly<
  Record<SimpleEvent | DetailedEvent['type'], Readonly<Record<string, SessionEvent>>>
> = {
  follow: simple('follow'),
  'follow-too': simple('follow-too'),
  'stop-following': simple('stop-following'),
  'start-saving': simple('start-saving'),
  'stop-saving': simple('stop-saving'),
  'load-once': simple('load-once'),
  'save-once': simple('save-once'),
  edited: simple('edited'),
  durable: simple('durable'),
  opened: simple('opened'),
  closed: simple('closed'),
  connected: simple('connected'),
  silent: simple('silent'),
  'network-changed': simple('network-changed'),
  retry: simple('retry'),
  resume: simple('resume'),
  seeded: simple('seeded'),
  'seed-refused': simple('seed-refused'),
  taken: simple('taken'),
  unanswered: simple('unanswered'),
  content: {
    content: { type: 'content', cursor: CURSOR, content: CONTENT },
    'no content': { type: 'content', cursor: { epoch: 'e', version: 0 }, content: undefined },
    'stock content': { type: 'content', cursor: undefined, content: CONTENT },
    'no stock content': { type: 'content', cursor: undefined, content: undefined },
  },
  'load-failed': {
    'load failed': { type: 'load-failed', error: failure('network') },
    'load failed for good': { type: 'load-failed', error: failure('protocol') },
  },
  'seed-failed': {
    'seed failed': { type: 'seed-failed', error: failure('unavailable') },
    'seed failed for good': { type: 'seed-failed', error: failure('too-large') },
    'seed failed for lack of a token': { type: 'seed-failed', error: failure('unauthorized') },
  },
  stopped: { stopped: { type: 'stopped', error: failure('protocol') } },
  moved: { moved: { type: 'moved', generation: 70 } },
  ended: { ended: { type: 'ended', error: failure('destroyed') } },
  welcome: {
    welcome: {
      type: 'welcome',
      generation: GENERATION,
      cursor: { epoch: 'e', version: 6 },
      lastPush: 3,
      limits: LIMITS,
      changes: CHANGES,
    },
    'welcome of another generation': {
      type: 'welcome',
      generation: GENERATION - 1,
      cursor: CURSOR,
      lastPush: 3,
      limits: LIMITS,
      changes: CHANGES,
    },
    reload: {
      type: 'welcome',
      generation: GENERATION,
      cursor: CURSOR,
      lastPush: 0,
      limits: LIMITS,
      changes: undefined,
    },
    'no Store': {
      type: 'welcome',
      generation: GENERATION,
      cursor: { epoch: 'e', version: 0 },
      lastPush: 0,
      limits: LIMITS,
      changes: undefined,
    },
  },
  commit: {
    commit: { type: 'commit', version: 6, changes: CHANGES },
    'commit after a gap': { type: 'commit', version: 7, changes: CHANGES },
  },
  ack: {
    ack: ack({ number: 4, version: 6, isCommit: true }),
    'ack of a later push': ack({ number: 5, version: 6, isCommit: true }),
    'ack after a gap': ack({ number: 4, version: 7, isCommit: true }),
  },
  receipt: { receipt: { type: 'receipt', number: 4, offset: 9 } },
  pong: {
    pong: { type: 'pong', version: 5, lastPush: 3 },
    'pong that differs': { type: 'pong', version: 6, lastPush: 3 },
    'pong without a push': { type: 'pong', version: 5, lastPush: 2 },
  },
  alive: { alive: { type: 'alive' } },
  error: {
    'error stale': error('stale'),
    'error expired': error('expired'),
    'error replaced': error('replaced'),
    'error malformed': error('malformed'),
    'error about a push': { type: 'error', code: 'malformed', message: 'm', push: 4 },
    'error forbidden': error('forbidden'),
    'error forbidden about a push': { type: 'error', code: 'forbidden', message: 'm', push: 4 },
  },
  stock: { 'stock changes': { type: 'stock', changes: CHANGES } },
};

function ack(parts: {
  readonly number: number;
  readonly version: number;
  readonly isCommit: boolean;
}): DetailedEvent {
  return { type: 'ack', correction: undefined, reason: undefined, ...parts };
}

function nameOf(action: Action): string {
  if (typeof action === 'string') return action;
  const { type } = action;
  if (action.type === 'report' && action.error instanceof TinyBasePartyKitError)
    return `report(${action.error.code})`;
  return action.type === 'withdraw' ? `withdraw(${action.push})` : type;
}

function place({ stage: { phase, position } }: SessionState): string {
  const { type } = position;
  return `${phase}(${'cursor' in position ? `${type} ${position.cursor.version}` : type})`;
}

/** The wishes that have changed. */
function intentChanges(before: SyncIntent, after: SyncIntent): string[] {
  const wishes = Object.keys(after) as (keyof SyncIntent)[];
  return wishes
    .filter((wish) => after[wish] !== before[wish])
    .map((wish) => `${wish}=${after[wish]}`);
}

/** `phase(position) wish=… [fold] action action …`; only what changes. */
function describeStep(before: SessionState, { state, fold, actions }: Step): string {
  const parts = [
    place(state) === place(before) ? '' : place(state),
    ...intentChanges(before.intent, state.intent),
    fold === undefined
      ? ''
      : `[${fold.type}${fold.type === 'seed' && fold.isGiven ? ' given' : ''}${'isSeedLost' in fold && fold.isSeedLost ? ' without the seed' : ''}]`,
    ...actions.map(nameOf),
  ];
  return parts.filter((part) => part !== '').join(' ');
}

const named = <T>(all: Readonly<Record<string, Readonly<Record<string, T>>>>): [string, T][] =>
  Object.entries(all).flatMap(([kind, forms]) =>
    Object.entries(forms).map(([name, form]): [string, T] => [
      all === (STATES as unknown) ? `${kind} ${name}` : name,
      form,
    ]),
  );

/** Fails where something is changed that it was given. */
function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !(value instanceof Map)) {
    for (const part of Object.values(value)) frozen(part);
    if (Object.getPrototypeOf(value) === Object.prototype) Object.freeze(value);
  }
  return value;
}

const states = named(STATES);
const events = named(EVENTS);

describe('the table of what a client does', () => {
  test('has a row for every state, and in it every event', () => {
    expect(Object.keys(TABLE)).toEqual(states.map(([name]) => name));
    for (const [name] of states) {
      const { steps, nothing } = TABLE[name] ?? { steps: {}, nothing: '' };
      const all = [...Object.keys(steps), ...nothing.split(', ')];
      expect(all.toSorted(), name).toEqual(events.map(([event]) => event).toSorted());
    }
  });

  test.each(states)('holds in the state: %s', (name, state) => {
    const steps = events
      .map(([event, form]) => [
        event,
        describeStep(state, transition(frozen(state), frozen(form), FACTS)),
      ])
      .filter(([, step]) => step !== '');
    expect(Object.fromEntries(steps)).toEqual(TABLE[name]?.steps);
  });
});

function isTalking({ stage: { phase, position } }: SessionState): boolean {
  return (
    phase === 'live' || phase === 'catching-up' || (phase === 'empty' && position.type !== 'stock')
  );
}

describe('whatever happens', () => {
  const steps = states.flatMap(([state, before]) =>
    events.flatMap(([event, form]) =>
      [FACTS, NO_PENDING, { ...FACTS, everSent: 3, pinged: undefined }].map((facts) => ({
        title: `${state}, ${event}`,
        before,
        step: transition(before, form, facts),
      })),
    ),
  );
  test('a conversation that ends is hung up, first of all', () => {
    for (const { title, before, step } of steps) {
      const ends = isTalking(before) && !isTalking(step.state);
      expect(step.actions.indexOf('hang-up'), title).toBe(ends ? 0 : -1);
    }
  });

  test('content is requested where it is waited for, and hello is said with a new generation', () => {
    for (const { title, before, step } of steps) {
      if (step.actions.includes('load')) expect(step.state.stage.phase, title).toBe('loading');
      if (step.actions.includes('hello')) expect(step.state.stage.phase, title).toBe('catching-up');
      const isNewHello = step.state.generation === before.generation + 1;
      expect(
        step.state.generation === before.generation || isNewHello || step.state.generation === 70,
        title,
      ).toBe(true);
      if (isNewHello) expect(step.actions.at(-1), title).toMatch(/^hello/);
    }
  });

  test('a session that is over stays so', () => {
    for (const { title, before, step } of steps) {
      if (before.stage.phase !== 'stopped' || !before.stage.isOver) continue;
      expect(step.state.stage, title).toBe(before.stage);
    }
  });

  test('a position moves on by one version, or by what a welcome brings', () => {
    for (const { title, before, step } of steps) {
      if (before.stage.phase !== 'live' || step.state.stage.phase !== 'live') continue;
      const moved = step.state.stage.position.cursor.version - CURSOR.version;
      expect(moved, title).toBe(step.fold === undefined ? 0 : 1);
    }
  });
});

describe('a session that nobody needs any more', () => {
  test.each<readonly [string, SessionState, SessionEvent]>([
    ['stops to follow', following({ phase: 'live', position: BASE }), 'resume'],
    ['stops while it connects', following({ phase: 'connecting', position: BASE }), 'connected'],
    ['stops while it opens', following({ phase: 'connecting', position: BASE }), 'opened'],
  ])('rests: it %s', (_what, before, event) => {
    const unwanted = { ...before, intent: INITIAL_STATE.intent };
    expect(transition(unwanted, event, NO_PENDING).state.stage).toEqual({
      phase: 'idle',
      position: BASE,
    });
    expect(transition(unwanted, event, FACTS).state.stage.phase).not.toBe('idle');
  });
});

describe('a client whose hello cancels what the room decides', () => {
  const live = following({ phase: 'live', position: BASE });
  const commit = { type: 'commit', version: 6, changes: CHANGES } as const;
  test.each<readonly [string, Facts, boolean]>([
    ['waits longer each time, also where others commit, while a push is pending', FACTS, false],
    ['may begin anew with a commit if no push is pending', NO_PENDING, true],
  ])('[FLOOD-2] %s', (_what, facts, isReset) => {
    const { actions } = transition(live, commit, facts);
    expect(actions.includes('relax-retry')).toBe(isReset);
  });
});
