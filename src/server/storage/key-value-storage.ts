/**
 * The part of a Durable Object's storage that a room needs. Structural: PartyKit's, partyserver's and a bare
 * Durable Object's storage all fit as they are.
 *
 * Limits to stay within, as enforced in production: a key of 2,048 bytes, a value of 128 KiB, 128 keys a call. A call
 * is atomic; two calls are not, whatever a host may promise.
 */
export interface KeyValueStorage {
  get(keys: string[]): Promise<Map<string, unknown>>;
  put(entries: Record<string, unknown>, options?: WriteOptions): Promise<void>;
  delete(keys: string[], options?: WriteOptions): Promise<number>;
  /** In ascending order of the keys' UTF-8 bytes. `start` is inclusive, `end` is not. */
  list(options: {
    prefix?: string;
    start?: string;
    end?: string;
    limit?: number;
  }): Promise<Map<string, unknown>>;
  /**
   * Resolves when all that was put and deleted before is on disk. A host that lacks it settles each call when that is so.
   * Durable Objects settle a call earlier, and hold back what the object sends instead.
   */
  sync?(): Promise<void>;
}

/** How a write is done. A host that knows nothing of it may ignore it. */
export interface WriteOptions {
  /** True: messages are handed over meanwhile. Otherwise a Durable Object gets one, and then its write, at a time. */
  readonly allowConcurrency: boolean;
}
