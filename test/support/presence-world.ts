import { createStore, type Store } from 'tinybase';

import { createClientPresence } from '../../src/client/features/presence/client-presence.ts';
import type {
  Presence,
  PresenceOptions as PresenceClientOptions,
} from '../../src/client/features/presence/presence.ts';
import type { ChannelListener } from '../../src/client/platform/channel.ts';
import type { TinyBasePartyKitError } from '../../src/protocol/errors.ts';
import type { PresenceOptions } from '../../src/server/features/presence/presence-options.ts';
import { RoomPresence } from '../../src/server/features/presence/room-presence.ts';
import { ManualTime } from './manual-time.ts';

/** A connection as the room sees it. */
export interface FakeSocket {
  readonly id: string;
  readonly user: string | undefined;
  readonly slots: Map<string, unknown>;
  isOpen: boolean;
  heardAt: number;
  /** The frames that the room sent, decoded. */
  readonly received: unknown[];
  readonly onFrame: (json: string) => void;
}

type Options = PresenceOptions<FakeSocket, unknown, unknown>;

type TabOptions = PresenceClientOptions<Record<string, unknown>> & {
  readonly user?: string;
  readonly store?: Store;
};

/** A room with presence, and clients of it, under a clock that the test moves. Frames take `latency` each way. */
export class PresenceWorld {
  readonly time: ManualTime = new ManualTime();
  readonly errors: unknown[] = [];
  readonly options: Options;
  readonly latency: number;
  /** True: a gate knows the users of sockets, also where presence does not. */
  isGated = false;
  /** The timers of the room: a room that sleeps has none. */
  #roomTime: ManualTime = new ManualTime();
  #sockets: FakeSocket[] = [];
  #room: RoomPresence<FakeSocket, unknown, unknown>;

  constructor(options: Options = {}, latency = 0) {
    this.options = options;
    this.latency = latency;
    this.#room = this.#start();
  }

  get roomStore(): Store {
    return this.#room.store;
  }

  /** The slots that are attached to the sockets with that id. */
  slotsOf(id: string): unknown[] {
    return this.#sockets
      .filter((socket) => socket.id === id)
      .map(({ slots }) => slots.get('presence'));
  }

  /** The room forgets everything but what is attached. */
  sleep(): void {
    this.pass(1_000);
    this.#room = this.#start();
  }

  pass(milliseconds: number): void {
    // In small steps, so that the clocks stay together.
    for (let passed = 0; passed < milliseconds; passed += 1) {
      this.time.pass(Math.min(1, milliseconds - passed));
      this.#roomTime.pass(Math.min(1, milliseconds - passed));
    }
  }

  /** Opens a socket. */
  connect(id: string, onFrame: (json: string) => void = () => {}, user?: string): FakeSocket {
    const socket: FakeSocket = {
      id,
      user,
      slots: new Map(),
      isOpen: true,
      heardAt: this.time.now,
      received: [],
      onFrame,
    };
    this.#sockets.push(socket);
    return socket;
  }

  /** Lets everything arrive that takes no time. */
  settle(): void {
    this.time.pass(0);
  }

  /** Hands the room a frame. */
  send(socket: FakeSocket, json: string): void {
    this.sendLater(socket, json);
    this.settle();
  }

  sendLater(socket: FakeSocket, json: string): void {
    this.#later(() => {
      if (!socket.isOpen) return;
      socket.heardAt = this.time.now;
      this.#room.received(socket, json);
    });
  }

  /** Closes a socket. `isUnheard`: the room is not told, as if it slept or the network was cut. */
  disconnect(socket: FakeSocket, isUnheard = false): void {
    socket.isOpen = false;
    this.#sockets = this.#sockets.filter((other) => other !== socket);
    if (!isUnheard) this.#room.left(socket);
    this.settle();
  }

  tab(id: string, options: TabOptions = {}): PresenceTab {
    return new PresenceTab(this, id, options);
  }

  /** Later, in any case: sockets call nobody while something is being sent. */
  #later(action: () => void): void {
    this.time.after(this.latency, action);
  }

  #start(): RoomPresence<FakeSocket, unknown, unknown> {
    this.#roomTime = new ManualTime();
    this.#roomTime.now = this.time.now;
    const time = this.#roomTime;
    return new RoomPresence(
      {
        connections: () => this.#sockets.filter(({ isOpen }) => isOpen),
        send: (socket, letter, json) => {
          if (letter !== 'r') throw new Error(`The letter is ${letter}.`);
          socket.received.push(JSON.parse(json));
          this.#later(() => {
            if (socket.isOpen) socket.onFrame(json);
          });
        },
        readSlot: (socket, slot) => socket.slots.get(slot),
        writeSlot: (socket, slot, value) => {
          if (value === null) socket.slots.delete(slot);
          else socket.slots.set(slot, JSON.parse(JSON.stringify(value)));
        },
        heardAt: ({ heardAt }) => (heardAt > this.time.now ? undefined : heardAt),
        userIdOf: ({ user }) => (this.isGated ? user : undefined),
        now: () => this.time.now,
        after: time.after,
        report: (error) => this.errors.push(error),
      },
      this.options,
    );
  }
}

/** A browser's window with presence. */
export class PresenceTab {
  readonly store: Store;
  readonly presence: Presence<Record<string, unknown>>;
  /** The frames that it sent. */
  readonly sent: string[] = [];
  readonly errors: TinyBasePartyKitError[] = [];
  reconnects = 0;
  readonly #world: PresenceWorld;
  readonly #user: string | undefined;
  #socket: FakeSocket | undefined;
  #id: string;
  #listener: ChannelListener = { onFrame: () => {} };

  constructor(
    world: PresenceWorld,
    id: string,
    { user, store = createStore(), ...options }: TabOptions,
  ) {
    this.store = store;
    this.#id = id;
    this.#world = world;
    this.#user = user;
    this.presence = createClientPresence(
      store,
      {
        id: () => this.#id,
        open: (listener) => {
          this.#listener = listener;
          return {
            isOpen: () => this.#socket !== undefined,
            close: () => {
              this.#listener = { onFrame: () => {} };
            },
            send: (json) => {
              if (this.#socket === undefined) return false;
              this.sent.push(json);
              world.sendLater(this.#socket, json);
              return true;
            },
          };
        },
        reconnect: () => {
          this.reconnects += 1;
        },
        takeAnotherId: () => {
          this.close().open(`${this.#id}'`);
        },
        after: world.time.after,
        random: () => 0,
      },
      {
        onIgnoredError: (error: TinyBasePartyKitError) => this.errors.push(error),
        ...options,
      },
    );
  }

  get socket(): FakeSocket {
    if (this.#socket === undefined) throw new Error('The tab is offline.');
    return this.#socket;
  }

  /** The frames that came since the socket was opened, decoded. */
  get received(): unknown[] {
    return this.socket.received;
  }

  get rows(): unknown {
    return this.store.getTable('connections');
  }

  get users(): unknown {
    return this.store.getTable('users');
  }

  open(id: string = this.#id): this {
    this.#id = id;
    this.#socket = this.#world.connect(id, (json) => this.#listener.onFrame(json), this.#user);
    this.#listener.onOpen?.();
    this.#world.settle();
    return this;
  }

  /** Loses the connection. */
  close(isUnheard = false): this {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#listener.onClose?.();
    if (socket !== undefined) this.#world.disconnect(socket, isUnheard);
    return this;
  }

  /** The socket leads to another room now. */
  moveToAnotherRoom(): void {
    this.#listener.onAnotherRoom?.();
  }
}
