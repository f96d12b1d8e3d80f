import { Overlay } from '../../../src/client/replica/overlay.ts';
import { StoreClaim } from '../../../src/client/replica/store-claim.ts';
import { Replica } from '../../../src/client/replica/replica.ts';
import { ALL_ROWS, ChangesBuilder, type Changes } from '../../../src/protocol/changes.ts';
import { LeafMap } from '../../../src/protocol/leaf-map.ts';
import { ObservedStore } from '../../../src/protocol/observed-store.ts';
import type { Patches } from '../patches.ts';
import { plain, thrower, type StoreVariant } from '../store-variants.ts';
import type { Traits } from '../traits.ts';
import { PLAIN, rewriteClientFrame, rewriteRoomFrame, type Mutation } from './mutation.ts';

function clientWith(variant: StoreVariant): Traits['clients'][number] {
  return { variant, isPersistent: false, seed: undefined, isSeedInStore: false };
}

/** What a listener throws while a commit is shown is thrown at whoever has it shown. */
function throwOn(patches: Patches): void {
  let isCommit = false;
  patches.replace(
    Replica.prototype,
    'commit',
    (commit) =>
      function asCommit(this: Replica, changes) {
        isCommit = true;
        try {
          return commit.call(this, changes);
        } finally {
          isCommit = false;
        }
      },
  );
  patches.replace(
    ObservedStore.prototype,
    'apply',
    (apply) =>
      function andThrow(this: ObservedStore, actions) {
        const outcome = apply.call(this, actions);
        if (isCommit && outcome.type === 'applied' && outcome.error instanceof Error)
          throw outcome.error;
        return outcome;
      },
  );
}

function correctFirst(this: Replica, correction: Changes): boolean {
  if (!this.commit(correction)) return false;
  this.acknowledge();
  return true;
}

/** The mutations of CHANGES, VIEW and LOCAL. */
export const REPLICA_MUTATIONS: readonly Mutation[] = [
  {
    title: '[STORE-1] a second persister of a Store does not wait for the first',
    make: () => ({ traits: { adversities: ['two-persisters'] } }),
    patch: (patches) => patches.replace(StoreClaim.prototype, 'take', () => () => true),
  },
  {
    title: '[STORE-1] a persister that has ended keeps its Store',
    make: () => ({ traits: { adversities: ['two-persisters'] } }),
    patch: (patches) => patches.replace(StoreClaim.prototype, 'release', () => () => undefined),
  },
  {
    title: '[CHANGES-1] a row that is deleted and then set keeps what it had',
    make: () => ({
      traits: PLAIN,
      atClient: (frame) =>
        rewriteRoomFrame(frame, (message) =>
          message.type === 'commit' && !message.changes.leaves.isEmpty
            ? { ...message, changes: { ...message.changes, deletedRows: new Map() } }
            : message,
        ),
    }),
  },
  {
    title: '[CHANGES-3] a composition forgets which rows were deleted',
    make: () => ({
      traits: PLAIN,
      fromRoom: (frame) =>
        rewriteRoomFrame(frame, (message) =>
          message.type === 'welcome' && message.changes !== undefined
            ? { ...message, changes: { ...message.changes, deletedRows: new Map() } }
            : message,
        ),
    }),
  },
  {
    title: "[VIEW-1] a client shows what the room says in place of its user's edit",
    patch: (patches) =>
      patches.replace(
        Overlay.prototype,
        'setBase',
        (setBase) =>
          function showBase(this: Overlay, table, row, cell, leaf, show) {
            setBase.call(this, table, row, cell, leaf, () => show(leaf, table, row, cell));
          },
      ),
  },
  {
    title: '[VIEW-2] a client does not keep what the room had under its edits',
    patch: (patches) =>
      patches.replace(
        Overlay.prototype,
        'write',
        (write) =>
          function withoutBase(this: Overlay, push, changes) {
            write.call(this, push, changes, new LeafMap());
          },
      ),
  },
  {
    title: '[VIEW-3] a commit is shown leaf by leaf',
    patch: (patches) =>
      patches.replace(
        Replica.prototype,
        'commit',
        (commit) =>
          function inParts(this: Replica, changes) {
            const parts: ChangesBuilder[] = [];
            for (const [table, rows] of changes.deletedRows) {
              const part = new ChangesBuilder();
              part.deletedRows.set(table, rows === ALL_ROWS ? ALL_ROWS : new Set(rows));
              parts.push(part);
            }
            changes.leaves.forEach((leaf, table, row, cell) => {
              const part = new ChangesBuilder();
              part.setLeaf(table, row, cell, leaf);
              parts.push(part);
            });
            return parts.every((part) => commit.call(this, part));
          },
      ),
  },
  {
    title: '[VIEW-4] a correction is folded before the push that it corrects',
    patch: (patches) =>
      patches.replace(Replica.prototype, 'acknowledgeCorrected', () => correctFirst),
  },
  {
    title: '[VIEW-5] a row is deleted by deleting the cells that its user saw',
    make: () => ({
      traits: { ...PLAIN, limits: {} },
      fromClient: (frame, _wire, { seen }) =>
        rewriteClientFrame(frame, (message) => {
          if (message.type !== 'push') return message;
          const changes = new ChangesBuilder();
          for (const [table, rows] of message.changes.deletedRows) {
            for (const row of rows)
              for (const cell of seen.cells(table, row).keys())
                changes.setLeaf(table, row, cell, undefined);
          }
          message.changes.leaves.forEach((leaf, table, row, cell) =>
            changes.setLeaf(table, row, cell, leaf),
          );
          return { ...message, changes };
        }),
    }),
  },
  {
    title: '[VIEW-6] what arrives is applied within the transaction that the app has open',
    patch: (patches) =>
      patches.replace(
        ObservedStore.prototype,
        'apply',
        (apply) =>
          function atOnce(this: ObservedStore, actions) {
            const outcome = apply.call(this, actions);
            if (outcome.type !== 'busy') return outcome;
            this.store.transaction(actions);
            return {
              type: 'applied',
              log: {
                changes: new ChangesBuilder(),
                before: new LeafMap(),
                ids: [],
                refused: new LeafMap(),
              },
              error: undefined,
            };
          },
      ),
  },
  {
    title: '[VIEW-7] what a listener throws while a commit is shown ends the bookkeeping',
    make: () => ({ traits: { clients: [clientWith(thrower), clientWith(plain)] } }),
    patch: throwOn,
  },
  {
    title: '[VIEW-8] what was edited while nothing was saved is not sent',
    patch: (patches) => patches.replace(Replica.prototype, 'releaseHeld', () => () => undefined),
  },
  {
    title: '[LOCAL-1] a leaf that the own schema refuses is taken for what the room holds',
    patch: (patches) => patches.replace(Overlay.prototype, 'setLocal', () => () => undefined),
  },
  {
    title: '[LOCAL-2] what is local-only stays when the room sets the leaf',
    patch: (patches) =>
      patches.replace(
        Overlay.prototype,
        'setBase',
        (setBase) =>
          function stay(this: Overlay, table, row, cell, leaf, show) {
            if (this.get(table, row, cell)?.local === undefined)
              setBase.call(this, table, row, cell, leaf, show);
          },
      ),
  },
];
