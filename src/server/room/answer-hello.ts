import { PROTOCOL_VERSION, type Hello } from '../../protocol/messages.ts';

import type { RoomState } from '../history/room-state.ts';
import { ANSWER_OF_ONE } from './allowance.ts';
import type { Peer } from './peer.ts';
import type { RoomParts } from './room-parts.ts';

/** A catch-up up to this size is never too large, in characters. */
const SMALL_CATCH_UP = 4096;
/** Content up to this size comes with the welcome that would otherwise be a reload, in characters (`JOIN-11`). */
const SMALL_CONTENT = 64 * 1024;
/** The part of `messageBurst` that a further client id of one connection costs: the fifth is too much (`FLOOD-4`). */
const FURTHER_CLIENT = 1 / 5;

const NO_CHANGES = '[{},{}]';
const SET_BACK = { isSetBack: true } as const;

/**
 * Answers a hello: makes the connection that of its client, and sends what the client missed (`JOIN-2` to `JOIN-5`). The connection
 * pays for the catch-up, each time that it asks (`FLOOD-3`).
 */
export function answerHello<Connection>(
  room: RoomState<Connection, unknown>,
  parts: RoomParts<Connection, unknown>,
  peer: Peer<Connection>,
  hello: Hello,
): void {
  const { peers, delivery, outgoing, host, settings } = parts;
  const { clientId, generation, nextPush, ackedPush } = hello;
  const connections = [...peers.ofClient(clientId)];
  const known = Math.max(
    room.clients.generation(clientId),
    ...connections.map(({ state }) => state.generation),
  );
  if (generation <= known) {
    // A higher generation than that of the hello: so the client does not take this for the welcome that makes it live.
    const above = Math.max(known, generation + 1);
    const lastPush = room.lastPush(hello);
    outgoing.sendWelcome(room, peer, { generation: above, lastPush }, undefined);
    return;
  }
  const { state } = peer;
  const isOtherClient = state.type === 'client' && state.clientId !== clientId;
  const { limits } = settings;
  const cost =
    (hello.cursor === undefined ? 0 : room.history.costSince(hello.cursor) / ANSWER_OF_ONE) +
    (isOtherClient ? limits.messageBurst * FURTHER_CLIENT : 0);
  if (!peer.allowance.charge(cost)) {
    const text =
      'This connection asks for more than the room gives: say hello again, a little later.';
    delivery.overload(peer, text, true);
    return;
  }
  for (const other of connections) {
    if (other.peer === peer) continue;
    const text = 'A newer connection of this client has replaced this one.';
    delivery.refuse(other.peer, 'replaced', text);
  }
  room.clients.noteHello(clientId, generation, ackedPush, host.now());
  // The client has pushes pending that the room has processed: it must also hear of the rows that they made and others deleted.
  const isWhole = room.lastPush(hello) >= nextPush;
  const missed =
    hello.cursor === undefined ? undefined : room.history.catchUpSince(hello.cursor, isWhole);
  // A client that has just loaded is not sent to load again, even if rows come and go so fast that its catch-up is the larger (`JOIN-10`).
  const hasLoaded = peer.state.type === 'client' && peer.state.liveness === 'loading';
  const isWorthIt =
    missed !== undefined &&
    (hasLoaded || missed.size <= Math.max(room.contentSize, SMALL_CATCH_UP));
  const isSetBack = hello.cursor !== undefined && room.history.isSetBackFrom(hello.cursor);
  const content = isWorthIt || isSetBack ? undefined : smallContent(room, parts, peer, hello);
  const catchUp = isWorthIt ? missed.encoded : undefined;
  const changes = content === undefined ? catchUp : NO_CHANGES;
  const welcome = { generation, lastPush: room.lastPush(hello), ...(isSetBack && SET_BACK) };
  const isLive = outgoing.sendWelcome(room, peer, welcome, changes, content);
  const liveness = isLive ? 'live' : 'loading';
  peer.setState({ type: 'client', clientId, generation, nextPush, liveness });
}

/**
 * Returns the content for a client that has an older one, if it is small, and within what the connection may ask for
 * (`JOIN-11`). A client that has none may have initial content of its app, and loads over HTTP.
 */
function smallContent<Connection>(
  room: RoomState<Connection, unknown>,
  { contentCache, observed, writer }: RoomParts<Connection, unknown>,
  peer: Peer<Connection>,
  { cursor }: Hello,
): string | undefined {
  if (cursor === undefined || cursor.version === 0 || !room.hasStore) return undefined;
  if (room.contentSize > SMALL_CONTENT || !writer.isFree()) return undefined;
  if (!peer.allowance.charge(room.contentSize / ANSWER_OF_ONE)) return undefined;
  return contentCache.read(room, () => observed.store.getJson());
}

/** Refuses a client that speaks another version of the protocol, and closes its connection. */
export function answerForeignHello<Connection>(
  { delivery }: Pick<RoomParts<Connection, unknown>, 'delivery'>,
  peer: Peer<Connection>,
  protocol: number,
): void {
  const text = `This room speaks version ${PROTOCOL_VERSION} of the protocol, and the client version ${protocol}: use the same release of tinybase-partykit on both sides.`;
  delivery.refuse(peer, 'protocol', text);
}
