import { decodeClientMessage, encodeAlive, encodeChanges } from '../../../src/protocol/codec.ts';
import { isEmptyChanges, ChangesBuilder } from '../../../src/protocol/changes.ts';
import type { RoomMessage } from '../../../src/protocol/messages.ts';
import { DurabilityGate } from '../../../src/server/history/durability-gate.ts';
import { RoomState } from '../../../src/server/history/room-state.ts';
import { Outgoing } from '../../../src/server/room/outgoing.ts';
import type { SimClient } from '../sim-client.ts';
import { LEAKY, PLAIN, rewriteRoomFrame, type Mutation } from './mutation.ts';

/** What a client that took any version for the next one would see. */
function believe(message: RoomMessage, client: SimClient): RoomMessage {
  const own = client.session.cursor?.version ?? 0;
  const next = client.session.replica.pending[0]?.number;
  switch (message.type) {
    case 'commit':
      return { ...message, version: own + 1 };
    case 'ack':
      return {
        ...message,
        number: next ?? message.number,
        version: own + (message.isCommit ? 1 : 0),
      };
    default:
      return message;
  }
}

function isInOrder(message: RoomMessage, client: SimClient): boolean {
  const own = client.session.cursor?.version ?? 0;
  if (message.type === 'commit') return message.version === own + 1;
  if (message.type !== 'ack') return true;
  const next = client.session.replica.pending[0]?.number;
  return message.number === next && message.version === own + (message.isCommit ? 1 : 0);
}

/** A pong tells that somebody is there, and no more. */
export function ignorePong(message: RoomMessage): RoomMessage {
  return message.type === 'pong' ? { type: 'alive' } : message;
}

const heldAnswers = new WeakMap<DurabilityGate, (() => void)[]>();

/** The mutations of ORDER-1 to ORDER-9. */
export const ORDER_MUTATIONS: readonly Mutation[] = [
  {
    title: '[ORDER-1] a transaction of the room itself gets no version',
    patch: (patches) =>
      patches.replace(
        RoomState.prototype,
        'commit',
        (commit) =>
          function skipOwn(this: RoomState<unknown, unknown>, log, origin) {
            return origin.type === 'room' && this.hasStore
              ? 'nothing'
              : commit.call(this, log, origin);
          },
      ),
  },
  {
    title: '[ORDER-2] a push that changes nothing is acked with a version of its own',
    make: () => ({
      traits: PLAIN,
      fromRoom: (frame) =>
        rewriteRoomFrame(frame, (message) =>
          message.type === 'ack' && !message.isCommit
            ? { ...message, isCommit: true, version: message.version + 1 }
            : message,
        ),
    }),
  },
  {
    title: "[ORDER-3] commits leave out what the room's own listeners did",
    patch: (patches) =>
      patches.replace(
        Outgoing.prototype,
        'sendCommit',
        (sendCommit) =>
          function withoutStamps(this: Outgoing<unknown>, state, changes, _encoded, origin) {
            const asked = new ChangesBuilder();
            for (const [table, rows] of changes.deletedRows)
              asked.deletedRows.set(table, new Set(rows));
            changes.leaves.forEach((leaf, table, row, cell) => {
              if (!String(leaf).startsWith('stamp')) asked.setLeaf(table, row, cell, leaf);
            });
            const told = isEmptyChanges(asked) ? changes : asked;
            sendCommit.call(this, state, told, encodeChanges(told), origin);
          },
      ),
  },
  {
    title: '[ORDER-4] a client takes any commit for the next one',
    make: () => ({
      traits: LEAKY,
      atClient: (frame, client) =>
        rewriteRoomFrame(frame, (message) =>
          message.type === 'commit' ? believe(message, client) : message,
        ),
    }),
  },
  {
    title: '[ORDER-5] a client takes any ack for that of its oldest push',
    make: () => ({
      traits: { ...LEAKY, faultWeight: 0, cutWeight: 0, diskWeight: 15 },
      atClient: (frame, client) =>
        rewriteRoomFrame(frame, (message) =>
          message.type === 'ack' ? believe(message, client) : message,
        ),
    }),
  },
  {
    title:
      '[ORDER-6] [ORDER-7] a client passes over what is out of order, and does not notice by pong',
    make: () => ({
      traits: LEAKY,
      atClient: (frame, client) =>
        rewriteRoomFrame(frame, (message) =>
          isInOrder(message, client) ? ignorePong(message) : undefined,
        ),
    }),
  },
  {
    title: '[ORDER-7] a client does not compare what a pong says',
    make: () => ({ traits: LEAKY, atClient: (frame) => rewriteRoomFrame(frame, ignorePong) }),
  },
  {
    title: '[ORDER-8] a host answers checks for the room, as it may answer pings',
    make: () => ({
      traits: LEAKY,
      hostAnswer: (frame) =>
        decodeClientMessage('', frame)?.type === 'check' ? encodeAlive('') : undefined,
    }),
  },
  {
    title: '[ORDER-9] the answer to a push waits, and what comes after it does not',
    patch: (patches) =>
      patches.replace(
        DurabilityGate.prototype,
        'defer',
        (defer) =>
          function letOvertake(this: DurabilityGate, waiter) {
            const held = heldAnswers.get(this) ?? [];
            heldAnswers.set(this, held);
            defer.call(this, {
              onLost: () => waiter.onLost(),
              onReleased: () => {
                if (waiter.waitsForSync === true) held.push(() => waiter.onReleased());
                else {
                  waiter.onReleased();
                  for (const answer of held.splice(0)) answer();
                }
              },
            });
          },
      ),
  },
];
