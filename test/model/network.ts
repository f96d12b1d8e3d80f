import { joinFrames, splitFrame } from '../../src/protocol/frame.ts';
import type { Hello } from '../../src/protocol/messages.ts';
import type { Choices } from './choices.ts';
import { SentParts } from './sent-parts.ts';
import type { Occurrence, Source, World } from './world.ts';

/** The client's end of a socket. */
export interface ClientEnd {
  readonly name: string;
  opened(): void;
  closed(code: number, reason: string): void;
  received(frame: string): void;
}

/** The room's end of all sockets. */
export interface RoomEnd {
  connected(wire: Wire): void;
  received(wire: Wire, frame: string): void;
  disconnected(wire: Wire): void;
}

/** What travels in one direction, in order. */
type Parcel =
  | { readonly type: 'frame'; readonly frame: string }
  | { readonly type: 'close'; readonly code: number; readonly reason: string };

/** Sees every frame as it is sent and says what travels instead. */
type FrameFilter = (frame: string, wire: Wire) => readonly string[];

/**
 * One WebSocket. Each direction is first in, first out. When it dies, each end learns of it in its own time, and
 * frames in flight towards the room may arrive long after the client has opened another.
 */
export class Wire {
  readonly label: string;
  readonly client: ClientEnd;
  readonly toRoom: Parcel[] = [];
  readonly toClient: Parcel[] = [];
  /** What each end believes. */
  clientState: 'connecting' | 'open' | 'closed' = 'connecting';
  roomState: 'connecting' | 'open' | 'closing' | 'closed' = 'connecting';
  /** True once the room or its app has closed it. */
  isClosedByRoom = false;
  /** True: the client does not hear that the room has closed it, and goes on sending. */
  isDeaf = false;
  /** True: the client reads nothing for a while, and what is sent to it waits in the memory of the host. */
  isUnread = false;
  /** True once hello went out on it. */
  saidHello = false;
  /** Of a push that is sent in parts: what the client has sent, and what has come to the room. */
  readonly sentParts: SentParts = new SentParts();
  readonly heardParts: SentParts = new SentParts();
  /** Who said hello on it, as far as the room has heard: by client id, that with the highest next push. */
  readonly heardHellos: Map<string, Hello> = new Map();
  /** The version that the room has told of last, since a welcome. */
  told: number | undefined;
  /** The generation of the hello that the room heard last; undefined once an error made it lose its place. Other welcomes are old. */
  awaited: number | undefined;
  /** The number of the last push that the client has sent since its last hello on it, and of the last that was answered. */
  sentPush = 0;
  answeredPush = 0;
  /** The number of the last push that was refused because its user may only read: the room may remember it with the connection alone. */
  readersPush = 0;
  /** What the host keeps with the socket, also while the room has no memory. */
  attachment: unknown;

  constructor(label: string, client: ClientEnd) {
    this.label = label;
    this.client = client;
  }
}

function canRead({ clientState, isDeaf, isUnread }: Wire): boolean {
  return clientState === 'open' && !isDeaf && !isUnread;
}

/** All sockets. */
export class Network implements Source {
  readonly wires: Wire[] = [];
  filterToClient: FrameFilter = (frame) => [frame];
  /** What the host answers for the room, which then hears nothing of it. */
  hostAnswer: (frame: string) => string | undefined = () => undefined;
  readonly #world: World;
  readonly #room: RoomEnd;
  /** How eagerly frames are delivered, compared with everything else that can happen. */
  readonly #deliveryWeight: number;
  readonly #name: string;
  #count = 0;

  /** @param name before the numbers of its sockets, if it is not the only one */
  constructor(world: World, room: RoomEnd, deliveryWeight: number, name = '') {
    this.#name = name;
    this.#world = world;
    this.#room = room;
    this.#deliveryWeight = deliveryWeight;
  }

  /** Begins to connect. */
  connect(client: ClientEnd): Wire {
    const wire = new Wire(`${client.name}~${this.#name}${(this.#count += 1)}`, client);
    this.wires.push(wire);
    return wire;
  }

  sendToRoom(wire: Wire, frame: string): void {
    if (wire.clientState !== 'open') return;
    this.#world.note(`    ${wire.label} > ${frame}`);
    wire.toRoom.push({ type: 'frame', frame });
  }

  sendToClient(wire: Wire, frame: string): void {
    if (wire.roomState !== 'open') return;
    const messages = splitFrame(frame).flatMap((message) =>
      Array.from(this.filterToClient(message, wire)),
    );
    for (const sent of joinFrames(messages)) {
      this.#world.note(`    ${wire.label} < ${sent}`);
      wire.toClient.push({ type: 'frame', frame: sent });
    }
  }

  /** The client closes: it hears nothing more, but what it has sent may still arrive. */
  closeByClient(wire: Wire, code = 1000, reason = ''): void {
    if (wire.clientState === 'closed') return;
    if (wire.clientState === 'connecting') wire.roomState = 'closed';
    wire.clientState = 'closed';
    wire.toClient.length = 0;
    wire.toRoom.push({ type: 'close', code, reason });
    this.#forgetIfOver(wire);
  }

  /** The room closes: what the client has sent may still arrive until the client has answered. */
  closeByRoom(wire: Wire, code: number, reason: string): void {
    if (wire.roomState !== 'open') return;
    wire.roomState = 'closing';
    this.#world.note(`    ${wire.label} < closed ${code}`);
    wire.toClient.push({ type: 'close', code, reason });
  }

  /** The connection breaks: of what is in flight, the last part is lost, and each end learns of it later. */
  cut(wire: Wire, choices: Choices): void {
    wire.isDeaf = false;
    for (const direction of [wire.toRoom, wire.toClient]) {
      const last = direction.at(-1);
      const isClosed = last?.type === 'close';
      direction.length = choices.below(direction.length + 1);
      if (direction.at(-1)?.type !== 'close') {
        direction.push(
          isClosed && last !== undefined ? last : { type: 'close', code: 1006, reason: '' },
        );
      }
    }
  }

  /** The room's process dies: it hears nothing more; what it has sent may still arrive. */
  dieAtRoom(wire: Wire): void {
    wire.roomState = 'closed';
    wire.toRoom.length = 0;
    if (wire.toClient.at(-1)?.type !== 'close')
      wire.toClient.push({ type: 'close', code: 1006, reason: '' });
    this.#forgetIfOver(wire);
  }

  /** Whoever has not heard of a close does now, and who did not read reads. */
  endDeafness(): void {
    for (const wire of this.wires) {
      wire.isDeaf = false;
      wire.isUnread = false;
    }
  }

  isAlive(wire: Wire): boolean {
    return (
      wire.clientState === 'open' &&
      wire.roomState === 'open' &&
      wire.toRoom.at(-1)?.type !== 'close' &&
      wire.toClient.at(-1)?.type !== 'close'
    );
  }

  *occurrences(): Iterable<Occurrence> {
    const weight = this.#deliveryWeight;
    for (const wire of this.wires) {
      if (wire.clientState === 'connecting') {
        yield { label: `open ${wire.label}`, weight, happen: () => this.#open(wire) };
        continue;
      }
      if (wire.toRoom.length > 0 && wire.roomState !== 'closed') {
        yield { label: `${wire.label} to room`, weight, happen: () => this.#deliverToRoom(wire) };
      }
      if (wire.toClient.length > 0 && canRead(wire)) {
        yield {
          label: `${wire.label} to client`,
          weight,
          happen: () => this.#deliverToClient(wire),
        };
      }
    }
  }

  /** Frames that may get lost, though what is sent after them arrives. Stock peers could never tell. */
  *leaks(): Iterable<Occurrence> {
    for (const wire of this.wires) {
      if (!wire.saidHello) continue;
      for (const [direction, name] of [
        [wire.toRoom, 'room'],
        [wire.toClient, 'client'],
      ] as const) {
        if (direction[0]?.type !== 'frame') continue;
        yield {
          label: `${wire.label} to ${name} lost`,
          weight: 0.8,
          happen: () => direction.shift(),
        };
      }
    }
  }

  #open(wire: Wire): void {
    wire.clientState = 'open';
    wire.roomState = 'open';
    this.#room.connected(wire);
    wire.client.opened();
  }

  #deliverToRoom(wire: Wire): void {
    const parcel = wire.toRoom.shift();
    if (parcel === undefined) return;
    if (parcel.type === 'frame') {
      this.#world.note(`    ${parcel.frame}`);
      const answer = this.hostAnswer(parcel.frame);
      if (answer === undefined) this.#room.received(wire, parcel.frame);
      else this.sendToClient(wire, answer);
      return;
    }
    wire.roomState = 'closed';
    this.#room.disconnected(wire);
    this.#forgetIfOver(wire);
  }

  #deliverToClient(wire: Wire): void {
    const parcel = wire.toClient.shift();
    if (parcel === undefined) return;
    if (parcel.type === 'frame') {
      this.#world.note(`    ${parcel.frame}`);
      wire.client.received(parcel.frame);
      return;
    }
    wire.clientState = 'closed';
    // The closing handshake: the room's end learns that the client's is closed.
    if (wire.toRoom.at(-1)?.type !== 'close') wire.toRoom.push(parcel);
    this.#forgetIfOver(wire);
    wire.client.closed(parcel.code, parcel.reason);
  }

  #forgetIfOver(wire: Wire): void {
    if (wire.clientState !== 'closed' || wire.roomState !== 'closed') return;
    this.wires.splice(this.wires.indexOf(wire), 1);
  }
}
