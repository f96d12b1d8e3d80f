import { Replica } from '../../../src/client/replica/replica.ts';
import { RoomStorage } from '../../../src/server/storage/room-storage.ts';
import { RoomState } from '../../../src/server/history/room-state.ts';
import { PushAssembly } from '../../../src/server/room/push-assembly.ts';
import { SMALL_SIZES } from '../traits.ts';
import { LEAKY, PLAIN, rewriteRoomFrame, type Mutation } from './mutation.ts';
import { ignorePong } from './order.ts';

/** The mutations of ONCE, PART and CORRECT. */
export const ONCE_MUTATIONS: readonly Mutation[] = [
  {
    title: '[ONCE-1] a commit is stored without the number of its push',
    make: () => ({ traits: { faultWeight: 3 } }),
    patch: (patches) =>
      patches.replace(
        RoomStorage.prototype,
        'load',
        (load) =>
          async function withoutNumbers(this: RoomStorage) {
            const loaded = await load.call(this);
            return loaded && { ...loaded, clients: new Map() };
          },
      ),
  },
  {
    title: '[ONCE-1] a push that made no commit is acked before its number is stored',
    patch: (patches) => patches.replace(RoomState.prototype, 'note', () => () => undefined),
  },
  {
    title: '[ONCE-3] a push is taken though one before it is missing',
    make: () => ({ traits: LEAKY }),
    patch: (patches) =>
      patches.replace(
        RoomState.prototype,
        'receive',
        (receive) =>
          function withGaps(this: RoomState<unknown, unknown>, peer, message) {
            const { state } = peer;
            if (message.type === 'push' && state.type === 'client' && state.liveness === 'live') {
              const last = Math.max(this.clients.lastPush(state.clientId), state.nextPush - 1);
              if (message.number > last + 1)
                this.clients.notePush(state.clientId, message.number - 1, 0);
            }
            return receive.call(this, peer, message);
          },
      ),
  },
  {
    title: '[ONCE-9] what hooks allowed late is applied, whatever was said meanwhile',
    make: () => ({ traits: { ...PLAIN, hookStyle: 'slow', cutWeight: 3 } }),
    patch: (patches) =>
      patches.replace(
        RoomState.prototype,
        'takes',
        (takes) =>
          function always(this: RoomState<unknown, unknown>, origin) {
            return origin.type === 'push' ? !origin.peer.isGone : takes.call(this, origin);
          },
      ),
  },
  {
    title: '[FRAME-2] [ONCE-8] a client is not told which push the room cannot read',
    make: () => ({
      traits: { ...PLAIN, hasUnreadable: true },
      atClient: (frame) =>
        rewriteRoomFrame(frame, (message) =>
          message.type === 'error'
            ? { type: 'error', code: message.code, message: message.message }
            : message,
        ),
    }),
  },
  {
    title: '[ONCE-4] a client folds what a welcome says was processed',
    make: () => ({
      traits: PLAIN,
      atClient: (frame, { session }) =>
        rewriteRoomFrame(frame, (message) => {
          if (message.type !== 'welcome' || message.changes === undefined) return message;
          while ((session.replica.pending[0]?.number ?? Infinity) <= message.lastPush) {
            session.replica.acknowledge();
          }
          return message;
        }),
    }),
  },
  {
    title: '[ONCE-5] a snapshot leaves out who has pushed what',
    make: () => ({
      traits: {
        ...PLAIN,
        // The log that is kept tells it, too: here it is short.
        storageSizes: { ...SMALL_SIZES, smallestCheckpoint: 60, smallestRetention: 0 },
        faultWeight: 3,
        cutWeight: 3,
        isWarm: true,
        stockPeers: 0,
        writeStyle: 'on disk',
        isHeavy: false,
        hookStyle: 'none',
        adversities: [],
      },
    }),
    patch: (patches) =>
      patches.replace(
        RoomStorage.prototype,
        'checkpoint',
        (checkpoint) =>
          function withoutClients(this: RoomStorage, state) {
            return checkpoint.call(this, { ...state, clients: () => new Map() });
          },
      ),
  },
  {
    title:
      '[PART-2] [ORDER-7] a part that is out of order is left out, nobody is told, nor notices by pong',
    make: () => ({
      traits: { ...LEAKY, limits: { framePushBytes: 60 }, isHeavy: false },
      atClient: (frame) => rewriteRoomFrame(frame, ignorePong),
    }),
    patch: (patches) =>
      patches.replace(
        PushAssembly.prototype,
        'take',
        (take) =>
          function silently(this: PushAssembly, part) {
            take.call(this, part);
            return true;
          },
      ),
  },
  {
    title: '[PART-7] a push at which the room dies is not taken back, and is sent again for ever',
    make: () => ({ traits: { ...PLAIN, adversities: ['poison'] } }),
    patch: (patches) => patches.replace(Replica.prototype, 'withdraw', () => () => undefined),
  },
  {
    title: '[CORRECT-1] an ack corrects nothing',
    make: () => ({
      traits: PLAIN,
      fromRoom: (frame) =>
        rewriteRoomFrame(frame, (message) =>
          message.type === 'ack' ? { ...message, correction: undefined } : message,
        ),
    }),
  },
  {
    title: '[CORRECT-2] an ack does not say why it corrects',
    make: () => ({
      traits: PLAIN,
      fromRoom: (frame) =>
        rewriteRoomFrame(frame, (message) =>
          message.type === 'ack' ? { ...message, reason: undefined } : message,
        ),
    }),
  },
];
