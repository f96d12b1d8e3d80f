import type { Leaf } from '../../../src/protocol/leaf.ts';
import { LeafMap } from '../../../src/protocol/leaf-map.ts';
import { readContent } from '../../../src/protocol/store-access.ts';
import { Room } from '../../../src/server/room/room.ts';
import { writeLeaf } from '../../../src/protocol/store-access.ts';
import { Replica } from '../../../src/client/replica/replica.ts';
import { Outgoing } from '../../../src/server/room/outgoing.ts';
import { decodeRoomMessage } from '../../../src/protocol/codec.ts';
import { TinyBasePartyKitError } from '../../../src/protocol/errors.ts';
import { plain } from '../store-variants.ts';
import type { Traits } from '../traits.ts';
import { PLAIN, rewriteClientFrame, type Mutation } from './mutation.ts';

/** A client whose seed is refused by hooks. */
function refusedClient(): Traits['clients'][number] {
  const seed = new LeafMap<Leaf>();
  seed.set('t', 'r', 'a', 11);
  return { variant: plain, isPersistent: false, seed, isSeedInStore: true };
}

/** The mutations of SEED and STOCK. */
export const INITIAL_CONTENT_MUTATIONS: readonly Mutation[] = [
  {
    title: '[SEED-1] a PUT is applied in a room that has a Store',
    patch: (patches) =>
      patches.replace(
        Room.prototype,
        'seed',
        (seed) =>
          async function always(this: Room<unknown>, content, request) {
            const outcome = await seed.call(this, content, request);
            if (outcome.type === 'created') return outcome;
            this.store.transaction(() => {
              content.forEach((leaf, table, row, cell) =>
                writeLeaf(this.store, table, row, cell, leaf),
              );
            });
            return outcome;
          },
      ),
  },
  {
    title: '[SEED-2] a seed carries the edits made since',
    make: () => ({
      traits: { isWarm: false },
      endpoint: (endpoint, { store }) => ({
        ...endpoint,
        put: () => endpoint.put(readContent(store)),
      }),
    }),
  },
  {
    title: '[SEED-2] a client does not GET after its PUT',
    make: () => ({
      traits: PLAIN,
      endpoint: (endpoint) => {
        let seeded: LeafMap<Leaf> | undefined;
        return {
          ...endpoint,
          put: async (content) => {
            const told = await endpoint.put(content);
            seeded = content;
            return told;
          },
          get: async (unique) => {
            const { cursor, content } = await endpoint.get(unique);
            const own = seeded;
            seeded = undefined;
            return { cursor, content: content && (own ?? content) };
          },
        };
      },
    }),
  },
  {
    title: '[HTTP-9] a room whose Store has altered a seed gives its cursor with the answer',
    make: () => ({ traits: PLAIN }),
    patch: (patches) =>
      patches.replace(
        Room.prototype,
        'seed',
        (seed) =>
          async function always(this: Room<unknown>, content, request) {
            const outcome = await seed.call(this, content, request);
            const { cursor } = await this.content();
            return outcome.type === 'created'
              ? { ...outcome, refused: undefined, cursor }
              : outcome;
          },
      ),
  },
  {
    title: '[SEED-2] a room that refused all of a seed is given an empty one',
    make: () => ({
      traits: { ...PLAIN, hookStyle: 'prompt', clients: [refusedClient(), refusedClient()] },
      endpoint: (endpoint) => ({
        ...endpoint,
        put: async (content) => {
          const told = await endpoint.put(content);
          if (told?.correction?.leaves.count() === content.count())
            await endpoint.put(new LeafMap<Leaf>());
          return told;
        },
      }),
    }),
  },
  {
    title: '[SEED-2] a client whose seed was refused says hello without its cursor',
    make: () => ({
      traits: { ...PLAIN, hookStyle: 'prompt', clients: [refusedClient(), refusedClient()] },
      fromClient: (frame) =>
        rewriteClientFrame(frame, (message) =>
          message.type === 'hello' && message.cursor?.version === 0
            ? { ...message, cursor: undefined }
            : message,
        ),
    }),
  },
  {
    title: '[SEED-4] a room does not say what it refused of a seed',
    make: () => ({
      traits: { ...PLAIN, hookStyle: 'prompt', clients: [refusedClient(), refusedClient()] },
    }),
    patch: (patches) =>
      patches.replace(
        Room.prototype,
        'seed',
        (seed) =>
          async function withoutAWord(this: Room<unknown>, content, request) {
            const outcome = await seed.call(this, content, request);
            return outcome.type === 'created' ? { ...outcome, refused: undefined } : outcome;
          },
      ),
  },
  {
    title: '[SEED-4] a client does not report what the room refused of its seed',
    make: () => ({
      traits: { ...PLAIN, hookStyle: 'prompt', clients: [refusedClient(), refusedClient()] },
      endpoint: (endpoint) => ({
        ...endpoint,
        put: async (content) => {
          await endpoint.put(content);
          return undefined;
        },
      }),
    }),
  },
  {
    title: '[SEED-3] a join sends what the Store held before',
    patch: (patches) =>
      patches.replace(
        Replica.prototype,
        'startTracking',
        (startTracking) =>
          function asEdits(this: Replica) {
            const content = readContent(this.store);
            if (this.lastNumber === 0) this.store.delTables().delValues();
            startTracking.call(this);
            this.store.transaction(() => {
              content.forEach((leaf, table, row, cell) =>
                writeLeaf(this.store, table, row, cell, leaf),
              );
            });
          },
      ),
  },
  {
    title: '[SEED-8] a client gives its seed for ever where something else answers',
    make: () => ({
      traits: { ...PLAIN, isWarm: false, adversities: ['foreign-answers'] },
      endpoint: (endpoint) => ({
        ...endpoint,
        put: (content) =>
          endpoint.put(content).catch((error: unknown) => {
            throw new TinyBasePartyKitError('unavailable', String(error));
          }),
      }),
    }),
  },
  {
    title: '[STOCK-1] stock peers are not told of commits',
    make: () => ({
      traits: { ...PLAIN, stockPeers: 2 },
      fromRoom: (frame, wire) =>
        !wire.saidHello && decodeRoomMessage('', frame)?.type === 'stock' ? [] : [frame],
    }),
  },
  {
    title: '[STOCK-2] a stock peer is not told what became of what it asked for',
    make: () => ({ traits: { stockPeers: 2 } }),
    patch: (patches) =>
      patches.replace(Outgoing.prototype, 'sendStockAnswer', () => () => undefined),
  },
  {
    title: '[STOCK-3] stock peers are not told of the initial content',
    make: () => ({ traits: { stockPeers: 2, isWarm: false, faultWeight: 0 } }),
    patch: (patches) =>
      patches.replace(
        Outgoing.prototype,
        'sendInitialContent',
        (sendInitialContent) =>
          function toClientsAlone(this: Outgoing<unknown>, state) {
            sendInitialContent.call(this, state, {
              deletedRows: new Map(),
              leaves: new LeafMap<Leaf | undefined>(),
            });
          },
      ),
  },
];
