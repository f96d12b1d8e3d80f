import { PROTOCOL_VERSION, type Hello } from '../../protocol/messages.ts';

import type { RoomState } from '../history/room-state.ts';
import { changesSize } from '../writes/content-size.ts';
import type { Peer } from './peers.ts';
import type { RoomParts } from './room-parts.ts';

/** A catch-up up to this size is never too large, in characters. */
const SMALL_CATCH_UP = 4096;

/** Makes a connection the one of its client, and tells it what it missed (`JOIN-2` to `JOIN-5`). */
export function answerHello<Origin>(
  room: RoomState<Origin, unknown>,
  { peers, outgoing, host }: Pick<RoomParts<Origin, unknown>, 'peers' | 'outgoing' | 'host'>,
  peer: Peer<Origin>,
  hello: Hello,
): void {
  const { clientId, generation, nextPush, ackedPush } = hello;
  const connections = [...peers.ofClient(clientId)];
  const known = connections.map(({ state }) => state.generation);
  if (generation <= Math.max(room.clients.generation(clientId), ...known)) return;
  for (const other of connections) {
    if (other.peer === peer) continue;
    const text = 'A newer connection of this client has replaced this one.';
    outgoing.refuse(other.peer, 'replaced', text);
  }
  room.clients.noteHello(clientId, generation, ackedPush, host.now());
  const missed = hello.cursor === undefined ? undefined : room.since(hello.cursor);
  const isWorthIt =
    missed !== undefined && changesSize(missed) <= Math.max(room.contentSize, SMALL_CATCH_UP);
  const welcome = { generation, lastPush: room.lastPush(hello) };
  const isLive = outgoing.sendWelcome(room, peer, welcome, isWorthIt ? missed : undefined);
  const standing = isLive ? 'live' : 'loading';
  peer.setState({ type: 'client', clientId, generation, nextPush, standing });
}

/** Refuses a client that speaks another version of the protocol. */
export function answerForeignHello<Origin>(
  room: RoomState<Origin, unknown>,
  { outgoing }: Pick<RoomParts<Origin, unknown>, 'outgoing'>,
  peer: Peer<Origin>,
  protocol: number,
): void {
  const text = `This room speaks version ${PROTOCOL_VERSION} of the protocol, and the client version ${protocol}: use the same release of tinybase-partykit on both sides.`;
  outgoing.sendError(room, peer, 'protocol', text);
  peer.leave('room');
}
