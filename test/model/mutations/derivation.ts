import { Reaction } from '../../../src/client/replica/reaction.ts';
import { Replica } from '../../../src/client/replica/replica.ts';
import type { Changes } from '../../../src/protocol/changes.ts';
import { noting, plain, stubborn, type StoreVariant } from '../store-variants.ts';
import type { Traits } from '../traits.ts';
import { PLAIN, rewriteRoomFrame, type Mutation } from './mutation.ts';

function clientWith(variant: StoreVariant): Traits['clients'][number] {
  return { variant, isPersistent: false, seed: undefined, isSeedInStore: false };
}

const TWO_NOTING: Partial<Traits> = {
  ...PLAIN,
  clients: [clientWith(noting), clientWith(noting), clientWith(plain)],
  hookStyle: 'none',
};

function correctLikeCommit(this: Replica, correction: Changes): boolean {
  this.acknowledge();
  return this.commit(correction);
}

/** The mutations of DERIVE. */
export const DERIVATION_MUTATIONS: readonly Mutation[] = [
  {
    title: '[DERIVE-1] a client sends what it made of leaves that the commit set',
    make: () => ({
      traits: { clients: [clientWith(stubborn), clientWith(stubborn)], hookStyle: 'none' },
    }),
    patch: (patches) => patches.replace(Reaction.prototype, 'maySend', () => () => true),
  },
  {
    title: '[DERIVE-1] the room does not mark the commit of what is derived',
    make: () => ({
      traits: TWO_NOTING,
      fromRoom: (frame) =>
        rewriteRoomFrame(frame, (message) =>
          message.type === 'commit'
            ? { type: 'commit', version: message.version, changes: message.changes }
            : message,
        ),
    }),
  },
  {
    title: '[DERIVE-1] a client derives of what is derived itself',
    make: () => ({ traits: TWO_NOTING }),
    patch: (patches) =>
      patches.replace(
        Replica.prototype,
        'commit',
        (commit) =>
          function asEdit(this: Replica, changes) {
            return commit.call(this, changes, false);
          },
      ),
  },
  {
    title: '[DERIVE-2] what follows a correction is derived',
    patch: (patches) =>
      patches.replace(Replica.prototype, 'acknowledgeCorrected', () => correctLikeCommit),
  },
];
