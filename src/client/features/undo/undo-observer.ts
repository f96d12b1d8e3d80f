import type { CheckpointIds, Id } from 'tinybase';

import { TinyBasePartyKitError } from '../../../protocol/errors.ts';
import { notGot, type OptionKind } from '../../../protocol/option-kinds.ts';
import type { TransactionLog } from '../../../protocol/store-access.ts';
import { checkOptions } from '../../check-options.ts';
import { reportLater } from '../../platform/report-later.ts';
import { writeAims } from '../../replica/aims.ts';
import type { EditObserver } from '../../replica/edit-observer.ts';
import type { Replica } from '../../replica/replica.ts';
import { assertListener, createListeners } from '../../session/listeners.ts';
import { OwnWrites } from './own-writes.ts';
import { Reconciler } from './reconciler.ts';
import { Recorder } from './recorder.ts';
import { Step } from './step.ts';
import { Steps } from './steps.ts';
import type { Undo, UndoOptions } from './undo.ts';

const DEFAULT_SIZE = 100;
const DEFAULT_CHARACTERS = 10_000_000;
/** Every option; the compiler complains if one is missing. The limits have a check of their own: they may be infinite. */
const OPTIONS: Readonly<Record<keyof UndoOptions, OptionKind>> = {
  mergeMilliseconds: '',
  size: '',
  characters: '',
  onIgnoredError: 'function',
};
const BUSY_MESSAGE =
  'Nothing can be undone or redone while a transaction of the Store is open or its listeners run. Call this after it.';

/** The observer of a replica that has an {@link Undo}. */
export interface UndoObserver extends EditObserver {
  readonly undo: Undo;
}

/** An undo or a redo that runs. */
interface Move {
  readonly step: Step;
  readonly isBackward: boolean;
}

/** Makes a replica tell of the user's edits, and takes them back: `UNDO-1` to `UNDO-9`. `now` returns milliseconds. */
export function observeForUndo(
  replica: Replica,
  now: () => number,
  options: UndoOptions = {},
): UndoObserver {
  checkOptions('createUndo', options, OPTIONS);
  const {
    size = DEFAULT_SIZE,
    characters = DEFAULT_CHARACTERS,
    mergeMilliseconds = 0,
    onIgnoredError,
  } = options;
  const { store } = replica;
  const writes = new OwnWrites(replica);
  const recorder = new Recorder(replica, writes);
  const reconciler = new Reconciler(replica, writes);
  const steps = new Steps();
  const idListeners = new Map<Id, () => void>();
  const labelListeners = new Map<Id, (id: Id) => void>();
  const listeners = createListeners<{ ids: []; label: [Id] }>(
    { ids: idListeners, label: labelListeners },
    // An observer of edits may not throw.
    reportLater(onIgnoredError),
  );

  let most = limit('size', size);
  const mostCharacters = limit('characters', characters);
  const mergeTime = limit('mergeMilliseconds', mergeMilliseconds);
  let nextId = 1;
  let ids: CheckpointIds = steps.ids();
  /** The step that the next transaction may join, as long as it is the last one. */
  let open: Step | undefined;
  let move: Move | undefined;
  let label: { readonly text: string; readonly isMerged: boolean } | undefined;
  let isOutermost = false;

  /** Tells the listeners if the checkpoints have changed. */
  const update = (): void => {
    const next = steps.ids();
    if (JSON.stringify(next) === JSON.stringify(ids)) return;
    ids = next;
    listeners.call('ids');
  };
  const release = (released: readonly Step[]): void => {
    for (const step of released) writes.release(step);
  };
  const prune = (): void => release(steps.takeOverLimits(most, mostCharacters));
  /** Returns the step that a transaction joins: the last one, or a new one. */
  const stepToJoin = (): Step => {
    const { text, isMerged } = label ?? { text: '', isMerged: false };
    const time = now();
    if (
      open !== undefined &&
      open === steps.lastBackward &&
      open.label === text &&
      (isMerged || Math.abs(time - open.time) < mergeTime)
    ) {
      open.time = time;
      return open;
    }
    open = new Step(String(nextId++), text, time);
    steps.addBackward(open);
    return open;
  };
  const addEdit = (log: TransactionLog): void => {
    release(steps.takeForward());
    recorder.add(log, stepToJoin());
  };
  /** Makes a step of what a move changed, for the way back. */
  const addMove = ({ step, isBackward }: Move, log: TransactionLog): void => {
    const back = new Step(step.id, step.label, step.time);
    recorder.add(log, back);
    writes.release(step);
    steps.remove(step);
    if (isBackward) steps.addForward(back);
    else steps.addBackward(back);
    open = undefined;
  };
  const clear = (): void => {
    writes.clear();
    steps.clear();
    open = undefined;
    update();
  };

  /** Takes a step back. Returns false if there was nothing left to change. */
  const takeBack = (step: Step, isBackward: boolean): boolean => {
    let isBusy = true;
    isOutermost = false;
    try {
      store.transaction(() => {
        if (!isOutermost) return;
        isBusy = false;
        move = { step, isBackward };
        writeAims(store, step.aims(store, writes));
      });
    } finally {
      move = undefined;
    }
    if (isBusy) throw new TinyBasePartyKitError('misuse', BUSY_MESSAGE);
    return !steps.has(step);
  };
  /** Takes back the next step that can change anything; the others are forgotten. */
  const go = (isBackward: boolean): void => {
    const next = (): Step | undefined => (isBackward ? steps.lastBackward : steps.firstForward);
    for (let step = next(); step !== undefined; step = next()) {
      if (step.hasEffect && takeBack(step, isBackward)) return;
      writes.release(step);
      steps.remove(step);
      update();
    }
  };
  const startListenerId = store.addStartTransactionListener(() => {
    isOutermost = true;
    label = undefined;
  });
  const setLabel = (id: Id, text: string): void => {
    const checkpoint = steps.checkpoint(id);
    if (checkpoint === undefined || checkpoint.label === text) return;
    checkpoint.label = text;
    listeners.call('label', id);
  };

  const undo: Undo = {
    transaction: (actions, text = '', isMerged = false) =>
      store.transaction(() => {
        label = { text, isMerged };
        return actions();
      }),
    goBackward: () => {
      go(true);
      return undo;
    },
    goForward: () => {
      go(false);
      return undo;
    },
    goTo: (id) => {
      while (ids[2].includes(id)) go(false);
      while (ids[0].includes(id)) go(true);
      return undo;
    },
    addCheckpoint: (text) => {
      const [, current = ''] = ids;
      if (open?.id === current && text !== undefined) setLabel(current, text);
      open = undefined;
      return current;
    },
    setCheckpoint: (id, text) => {
      setLabel(id, text);
      return undo;
    },
    getCheckpoint: (id) => steps.checkpoint(id)?.label,
    hasCheckpoint: (id) => steps.checkpoint(id) !== undefined,
    forEachCheckpoint: (callback) => {
      for (const checkpoint of steps.checkpoints()) callback(checkpoint.id, checkpoint.label);
    },
    getCheckpointIds: () => ids,
    getStore: () => store,
    setSize: (newSize) => {
      most = limit('size', newSize);
      prune();
      update();
      return undo;
    },
    addCheckpointIdsListener: (listener) => {
      assertListener(listener);
      return listeners.add('ids', () => listener(undo));
    },
    addCheckpointListener: (sought, listener) => {
      assertListener(listener);
      return listeners.add('label', (id) => {
        if (sought === null || sought === id) listener(undo, id);
      });
    },
    delListener: (id) => {
      listeners.remove(id);
      return undo;
    },
    getListenerStats: () => ({
      checkpointIds: idListeners.size,
      checkpoint: labelListeners.size,
    }),
    clear: () => {
      clear();
      return undo;
    },
    clearForward: () => {
      release(steps.takeForward());
      update();
      return undo;
    },
    destroy: () => {
      idListeners.clear();
      labelListeners.clear();
      clear();
      if (replica.observer !== observer) return;
      replica.observer = undefined;
      // Once: the Store gives an id that is free to the next listener of the app.
      store.delListener(startListenerId);
    },
  };
  const observer: UndoObserver = {
    undo: Object.freeze(undo),
    edited: (log) => {
      if (move === undefined) addEdit(log);
      else addMove(move, log);
      move = undefined;
      steps.removeEmpty();
      prune();
      update();
    },
    correcting: (push, correction) => recorder.give(push, correction),
    folded: (...fold) => {
      reconciler.fold(...fold);
      steps.removeEmpty();
      update();
    },
    released: (isLocal) => recorder.numberHeld(isLocal),
    withdrawn: (push, isLocal) => reconciler.withdraw(push, isLocal),
    abandoned: clear,
  };
  replica.observer = observer;
  return observer;
}

/** Returns a limit. Throws `misuse` for anything but a number from 0 on. */
function limit(name: keyof UndoOptions, value: unknown): number {
  if (typeof value === 'number' && value >= 0) return value;
  throw notGot('createUndo', `number from 0 on as its option ${name}`);
}
