import { decodeContent } from '../../src/protocol/codec.ts';
import type { RoomConnection } from '../../src/server/room/room-host.ts';
import { RoomStorage } from '../../src/server/storage/room-storage.ts';
import { Room } from '../../src/server/room/room.ts';
import { assert } from './measure.ts';
import type { MemoryStorage } from './memory-storage.ts';

const CLIENT_ID = 'a'.repeat(22);
/** A million cells are more than the default. */
const LIMITS = { contentBytes: Infinity };

/** Puts a room with that content into a storage. */
export async function store(storage: MemoryStorage, json: string): Promise<void> {
  const content = decodeContent(json);
  assert(content !== undefined, 'there is no content');
  const cursor = { epoch: 'e', version: 1 };
  await new RoomStorage(storage, { prefix: '' }).create({
    cursor,
    content,
    clients: new Map(),
  });
}

/** A room in this process, with one client that is live. */
export class MemoryRoom {
  readonly room: Room<undefined>;
  readonly #connection: RoomConnection<undefined>;
  #onAck: () => void = () => undefined;
  #waiting = 0;
  number = 0;

  constructor(storage: MemoryStorage) {
    let attachment: unknown;
    this.#connection = {
      socket: undefined,
      isClosedByRoom: false,
      send: (frame) => {
        for (const message of frame.split('\n')) {
          assert(!message.startsWith('e'), message);
          if (message.startsWith('a')) this.#acknowledged();
        }
      },
      close: () => undefined,
      readSlot: () => attachment,
      writeSlot: (_slot, written) => {
        attachment = written;
      },
      restoreSlots: () => undefined,
    };
    this.room = new Room(
      {
        storage,
        connections: () => [this.#connection],
        connectionOf: () => this.#connection,
        now: () => Date.now(),
        randomId: () => 'r'.repeat(22),
        after: (milliseconds, callback) => {
          const timer = setTimeout(callback, milliseconds);
          return () => clearTimeout(timer);
        },
      },
      {
        limits: () => LIMITS,
        onRoomError: (error) => {
          throw error;
        },
      },
    );
  }

  /** Loads the room and says hello. */
  async start(): Promise<void> {
    await this.room.start();
    const { cursor } = await this.room.content();
    const hello = {
      protocol: 1,
      client: CLIENT_ID,
      generation: 1,
      cursor: [cursor.epoch, cursor.version],
      next: 1,
      acked: 0,
    };
    await this.room.receive(this.#connection, `h${JSON.stringify(hello)}`);
  }

  /** Pushes changes, as JSON; resolves when all of them are acknowledged, and so durable. */
  async push(...changes: readonly string[]): Promise<void> {
    this.#waiting = changes.length;
    const acknowledged = new Promise<void>((resolve) => {
      this.#onAck = resolve;
    });
    for (const each of changes) {
      this.number += 1;
      void this.room.receive(this.#connection, `p[${this.number},${each}]`);
    }
    await acknowledged;
  }

  #acknowledged(): void {
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#onAck();
  }
}
