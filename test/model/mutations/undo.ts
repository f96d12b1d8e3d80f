import { Reconciler } from '../../../src/client/features/undo/reconciler.ts';
import { Step } from '../../../src/client/features/undo/step.ts';
import { Steps } from '../../../src/client/features/undo/steps.ts';
import type { Aims } from '../../../src/client/replica/aims.ts';
import { Replica } from '../../../src/client/replica/replica.ts';
import { RoomBase } from '../../../src/client/replica/room-base.ts';
import { LeafMap } from '../../../src/protocol/leaf-map.ts';
import type { Patches } from '../patches.ts';
import type { Traits } from '../traits.ts';
import { PLAIN, type Mutation } from './mutation.ts';

const UNDOING: Partial<Traits> = {
  ...PLAIN,
  hookStyle: 'none',
  adversities: ['undo'],
  isWarm: true,
  networkWeight: 1,
};

/** Returns all leaves of a step, whatever they show now. */
function allAims(this: Step): Aims {
  const aims: Aims = new LeafMap();
  for (const { table, row, cell, before } of this.writes()) aims.set(table, row, cell, before);
  return aims;
}

function putBackAnything(patches: Patches): void {
  patches.replace(Step.prototype, 'aims', () => allAims);
}

/** The undo is not told what this method folds. */
function tellNothingOf(patches: Patches, method: 'commit' | 'acknowledgeCorrected'): void {
  patches.replace(
    Replica.prototype,
    method,
    (fold: (...parts: never[]) => boolean) =>
      function untold(this: Replica, ...parts: never[]) {
        const { observer } = this;
        this.observer = undefined;
        const isDone = fold.apply(this, parts);
        this.observer = observer;
        return isDone;
      },
  );
}

/** The mutations of UNDO. */
export const UNDO_MUTATIONS: readonly Mutation[] = [
  {
    title: '[UNDO-3] an undo puts back a leaf that somebody else has set since',
    make: () => ({ traits: UNDOING }),
    patch: (patches) => {
      putBackAnything(patches);
      tellNothingOf(patches, 'commit');
    },
  },
  {
    title: '[UNDO-4] an undo knows nothing of what others set beneath a pending edit',
    make: () => ({ traits: UNDOING }),
    patch: (patches) => tellNothingOf(patches, 'commit'),
  },
  {
    title: '[UNDO-5] an undo brings back a part of a row that somebody has deleted',
    make: () => ({ traits: { ...UNDOING, roomEditWeight: 2 } }),
    patch: (patches) => {
      patches.replace(RoomBase.prototype, 'cells', () => () => ['never empty']);
      patches.replace(
        Reconciler.prototype,
        'fold',
        (fold) =>
          function untold(this: Reconciler, ...[aims, log, oldestUnanswered, isAck]) {
            fold.call(this, aims, log, oldestUnanswered, isAck, undefined, true);
          },
      );
    },
  },
  {
    title: '[UNDO-6] a refused edit stays in its step',
    make: () => ({ traits: { ...UNDOING, hookStyle: 'prompt' } }),
    patch: (patches) => {
      putBackAnything(patches);
      tellNothingOf(patches, 'acknowledgeCorrected');
    },
  },
  {
    title: '[UNDO-7] an edit leaves what can be redone',
    make: () => ({ traits: UNDOING }),
    patch: (patches) => patches.replace(Steps.prototype, 'takeForward', () => () => []),
  },
  {
    title: '[UNDO-9] steps outlive their replica',
    make: () => ({ traits: UNDOING }),
    patch: (patches) => patches.replace(Steps.prototype, 'clear', () => () => undefined),
  },
];
