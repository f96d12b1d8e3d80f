import { Replica } from '../../../src/client/replica/replica.ts';
import { StoreClaim } from '../../../src/client/replica/store-claim.ts';
import { ChangesBuilder } from '../../../src/protocol/changes.ts';
import { CommitHistory } from '../../../src/server/history/commit-history.ts';
import { ClientRecords } from '../../../src/server/history/client-records.ts';
import { RoomState } from '../../../src/server/history/room-state.ts';
import { Delivery } from '../../../src/server/room/delivery.ts';
import type { Mutant } from '../mutant.ts';
import type { Patches } from '../patches.ts';
import type { RoomProcess } from '../room-process.ts';
import type { Traits } from '../traits.ts';
import { ignorePong } from './order.ts';
import { PLAIN, rewriteClientFrame, rewriteRoomFrame, type Mutation } from './mutation.ts';

/** Clients move from room to room. */
const MOVING: Partial<Traits> = { ...PLAIN, cutWeight: 3, adversities: ['other-rooms'] };

/** A room that processes a push again if it comes again. */
function forgetDuplicates(patches: Patches): void {
  patches.replace(
    RoomState.prototype,
    'receive',
    (receive) =>
      function withoutDedup(this: RoomState<unknown, unknown>, peer, message) {
        const { state } = peer;
        if (
          message.type === 'push' &&
          state.type === 'client' &&
          message.number >= state.nextPush
        ) {
          const last = this.clients.lastPush(state.clientId);
          if (message.number <= last) this.clients.notePush(state.clientId, message.number - 1, 0);
        }
        return receive.call(this, peer, message);
      },
  );
}

/** A room that does not close older connections of a client, and goes on listening to them. */
function forgetFences(patches: Patches): void {
  patches.replace(
    Delivery.prototype,
    'close',
    (close) =>
      function withoutFence(this: Delivery<unknown>, peer, code, reason) {
        if (code !== 'replaced') close.call(this, peer, code, reason);
      },
  );
  // The generation is a fence of its own: pushes of an older one do not count.
  patches.replace(ClientRecords.prototype, 'generation', () => () => 0);
}

/** Every hello is the newest when it arrives, however late that is; clients heed every welcome. */
function renumberGenerations(): Mutant {
  const given = new Map<string, number>();
  const asked = new Map<string, number>();
  return {
    traits: PLAIN,
    fromClient: (frame) =>
      rewriteClientFrame(frame, (message) => {
        if (message.type === 'hello') asked.set(message.clientId, message.generation);
        return message;
      }),
    atRoom: (frame) =>
      rewriteClientFrame(frame, (message) => {
        if (message.type !== 'hello') return message;
        const generation = 1 + (given.get(message.clientId) ?? 0);
        given.set(message.clientId, generation);
        return { ...message, generation };
      }),
    fromRoom: (frame, wire) =>
      rewriteRoomFrame(frame, (message) =>
        message.type === 'welcome'
          ? {
              ...message,
              generation:
                asked.get([...wire.heardHellos.keys()].at(-1) ?? '') ?? message.generation,
            }
          : message,
      ),
  };
}

function epochOf(room: RoomProcess): string | undefined {
  return room.branch?.epoch;
}

/** The mutations of JOIN-1 to JOIN-12. */
export const JOIN_MUTATIONS: readonly Mutation[] = [
  {
    title: '[JOIN-1] a client says hello with a cursor that its content is not of',
    make: () => ({
      endpoint: (endpoint, client) => ({
        ...endpoint,
        get: async (unique) => {
          const { cursor, content } = await endpoint.get(unique);
          const newest = client.place.room.branch;
          return cursor?.epoch === newest?.epoch && newest !== undefined && content !== undefined
            ? { cursor: { epoch: newest.epoch, version: newest.version }, content }
            : { cursor, content };
        },
      }),
    }),
  },
  {
    title: '[JOIN-2] a welcome leaves out what happened since',
    make: () => ({
      traits: PLAIN,
      fromRoom: (frame) =>
        rewriteRoomFrame(frame, (message) =>
          message.type === 'welcome' && message.changes !== undefined
            ? { ...message, changes: new ChangesBuilder() }
            : message,
        ),
    }),
  },
  {
    title: '[JOIN-3] a welcome carries what a short log still has, in place of reload',
    patch: (patches) =>
      patches.replace(
        CommitHistory.prototype,
        'catchUpSince',
        (catchUpSince) =>
          function whatThereIs(this: CommitHistory, cursor, isWhole) {
            const last = { ...this.cursor, version: this.version - 1 };
            return (
              catchUpSince.call(this, cursor, isWhole) ?? catchUpSince.call(this, last, isWhole)
            );
          },
      ),
  },
  { title: '[JOIN-4] a late hello counts as the newest', make: renumberGenerations },
  {
    title:
      '[JOIN-5] [ONCE-2] an older connection is listened to, and what comes again is applied again',
    make: () => ({
      traits: { cutWeight: 4, faultWeight: 0.3, networkWeight: 2, hookStyle: 'none' },
    }),
    patch: (patches) => {
      forgetFences(patches);
      forgetDuplicates(patches);
    },
  },
  {
    title: '[JOIN-7] [ORDER-7] nobody is told of a commit that is too large, nor notices by pong',
    make: () => {
      const welcomed = new Map<string, number>();
      return {
        traits: { ...PLAIN, limits: { frameLength: 250 } },
        atClient: (frame, client) =>
          rewriteRoomFrame(frame, (message) => {
            if (message.type !== 'welcome') return ignorePong(message);
            const isAsked = message.generation > (welcomed.get(client.name) ?? 0);
            welcomed.set(client.name, message.generation);
            return isAsked || message.changes !== undefined ? message : undefined;
          }),
      };
    },
  },
  {
    title: '[JOIN-8] a cursor of another epoch is taken for one of this',
    make: () => ({
      traits: { ...PLAIN, faultWeight: 8 },
      atRoom: (frame, _wire, room) =>
        rewriteClientFrame(frame, (message) => {
          const epoch = epochOf(room);
          if (message.type !== 'hello' || message.cursor === undefined || epoch === undefined)
            return message;
          return { ...message, cursor: { ...message.cursor, epoch } };
        }),
    }),
  },
  {
    title: '[JOIN-9] a version alone says which history it is of',
    make: () => ({ traits: { ...PLAIN, faultWeight: 3, adversities: ['storage-set-back'] } }),
    patch: (patches) =>
      patches.replace(
        CommitHistory.prototype,
        'catchUpSince',
        (catchUpSince) =>
          function ofAnyTag(this: CommitHistory, cursor, isWhole) {
            const known = this.tagOf(cursor.version);
            const tag = known.type === 'known' ? known.tag : undefined;
            return catchUpSince.call(this, { ...cursor, tag }, isWhole);
          },
      ),
  },
  {
    title:
      '[JOIN-11] content in a welcome comes on top of what a client shows, and not in its place',
    make: () => ({
      traits: { ...PLAIN, faultWeight: 8 },
      fromRoom: (frame) =>
        rewriteRoomFrame(frame, (message) => {
          if (message.type !== 'welcome' || message.content === undefined) return message;
          const changes = { deletedRows: new Map(), leaves: message.content };
          return { ...message, changes, content: undefined };
        }),
    }),
  },
  {
    title: '[JOIN-12] a client sends what it has not confirmed to another room',
    make: () => ({ traits: MOVING }),
    patch: (patches) =>
      patches.replace(
        Replica.prototype,
        'abandon',
        (abandon) =>
          function keep(this: Replica, reason) {
            return reason === 'another-room' ? [] : abandon.call(this, reason);
          },
      ),
  },
  {
    title: '[JOIN-12] [SEED-2] what a Store held for one room is given to another',
    make: () => ({ traits: MOVING }),
    patch: (patches) => patches.replace(StoreClaim.prototype, 'begin', () => () => undefined),
  },
];
