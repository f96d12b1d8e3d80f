import type { KeyValueStorage } from '../storage/key-value-storage.ts';
import { decodeSegment, roomIdOf, roomSegmentIn } from './room-address.ts';

/** A room's id as a host knows it. Reading it throws if the host does not know it: in an alarm, and after one. */
export interface HostedId {
  /** Undefined in a double of a host. */
  readonly id: string | undefined;
  /** True if the id is taken as it is. Otherwise it is as in the URL, and is decoded. */
  readonly isIdDecoded?: boolean;
}

const KEY = '@tinybase-partykit/room-id';

/**
 * A room's id as the app wrote it, decoded once. The sources, in this order: the host, the URL of a request or connection,
 * and the id that was stored before an alarm was set. No host gives the id to an alarm that wakes a room.
 */
export class RoomId {
  readonly #host: HostedId;
  readonly #storage: KeyValueStorage;
  readonly #storagePrefix: () => string;
  #id: string | undefined;
  #isRecalled = false;
  #isStored = false;

  constructor(host: HostedId, storage: KeyValueStorage, storagePrefix: () => string) {
    this.#host = host;
    this.#storage = storage;
    this.#storagePrefix = storagePrefix;
  }

  /** Returns the id. Throws the host's own error if no source has it. */
  read(): string {
    if (this.#id !== undefined) return this.#id;
    const { id = '' } = this.#host;
    this.#id = this.#host.isIdDecoded === true ? id : roomIdOf(id);
    return this.#id;
  }

  /** Learns the id from the host, from a URL, or from storage. Await it before you call a handler of the app. */
  learn(url: () => string | undefined): Promise<void> | undefined {
    if (this.#tryToRead() !== undefined) return undefined;
    const told = url();
    const segment = told === undefined ? undefined : roomSegmentIn(told);
    // As the host would say it, and the router of a host that decodes.
    if (segment !== undefined)
      this.#id = this.#host.isIdDecoded === true ? decodeSegment(segment) : roomIdOf(segment);
    return this.#id !== undefined || this.#isRecalled ? undefined : this.#recall();
  }

  /** Stores the id, in the same turn, unless it is known to be stored: at most one row each time the room wakes. */
  async store(): Promise<void> {
    const id = this.#tryToRead();
    if (id === undefined || this.#isStored) return;
    this.#isStored = true;
    try {
      await this.#storage.put(this.key, id);
    } catch (error) {
      this.#isStored = false;
      throw error;
    }
  }

  /** The key of the row. */
  get key(): string {
    return this.#storagePrefix() + KEY;
  }

  /** Call this when the row was seen in storage. */
  noteStored(): void {
    this.#isStored = true;
  }

  /** Call this when the row was removed. */
  forgetStored(): void {
    this.#isStored = false;
  }

  #tryToRead(): string | undefined {
    try {
      return this.read();
    } catch {
      return undefined;
    }
  }

  async #recall(): Promise<void> {
    const { key } = this;
    const stored = (await this.#storage.get([key])).get(key);
    this.#isRecalled = true;
    if (typeof stored !== 'string') return;
    this.#id ??= stored;
    this.#isStored = true;
  }
}
