/**
 * The part of a Durable Object's storage that a room needs. Structural: PartyKit's, partyserver's and a bare
 * Durable Object's storage all fit as they are.
 *
 * Both forms of `put` are used: a key on its own is for a lone row of the log, which nearly every write is.
 *
 * A write settles when it is on disk. A Durable Object's settles earlier: it holds back all that the object sends until what
 * was written before is on disk, and forgets the object if that fails.
 *
 * Limits to stay within, as enforced in production: a key of 2,048 bytes, a value of 128 KiB, 128 keys a call. A call
 * is atomic; two calls are not, whatever a host may promise.
 */
export interface KeyValueStorage {
  get(keys: string[]): Promise<Map<string, unknown>>;
  put(entries: Record<string, unknown>, options?: WriteOptions): Promise<void>;
  put(key: string, value: unknown, options?: WriteOptions): Promise<void>;
  delete(keys: string[], options?: WriteOptions): Promise<number>;
  /**
   * Resolves when all that was put is on disk. Only for storage whose writes settle earlier, on a host that holds back what is
   * sent meanwhile and forgets the room if that fails, as a Durable Object does.
   */
  sync?(): Promise<void>;
  /** In ascending order of the keys' UTF-8 bytes. `start` is inclusive, `end` is not. */
  list(options: {
    prefix?: string;
    start?: string;
    end?: string;
    limit?: number;
  }): Promise<Map<string, unknown>>;
}

/** How a write is done. A host that knows nothing of it may ignore it. */
export interface WriteOptions {
  /** True: messages are handed over meanwhile. Otherwise a Durable Object gets one, and then its write, at a time. */
  readonly allowConcurrency: boolean;
}
