/**
 * The part of a Durable Object's storage that a room uses. The storage of PartyKit, of partyserver and of a bare Durable
 * Object all have this type.
 *
 * Both forms of `put` are used. The one for a single key writes one row of the log, as nearly every write does.
 *
 * A write settles when it is on disk. In a Durable Object it settles earlier: the host holds back everything that the
 * object sends until earlier writes are on disk, and restarts the object if they fail.
 *
 * The limits of production: a key of 2,048 bytes, a value of 128 KiB, 128 keys in a call. A call is atomic; two calls are
 * not, even if a host promises it.
 */
export interface KeyValueStorage {
  get(keys: string[]): Promise<Map<string, unknown>>;
  put(entries: Record<string, unknown>, options?: WriteOptions): Promise<void>;
  put(key: string, value: unknown, options?: WriteOptions): Promise<void>;
  delete(keys: string[], options?: WriteOptions): Promise<number>;
  /**
   * Resolves when all earlier writes are on disk. Only storage whose writes settle earlier has it. The host must hold back
   * what is sent meanwhile, and restart the room if a write fails, as a Durable Object does.
   */
  sync?(): Promise<void>;
  /** Lists entries in ascending order of the keys' UTF-8 bytes. `start` is inclusive, `end` is not. */
  list(options: {
    prefix?: string;
    start?: string;
    end?: string;
    limit?: number;
  }): Promise<Map<string, unknown>>;
}

/** Options of a write. A host that does not know them may ignore them. */
export interface WriteOptions {
  /** True: messages are delivered during the write. Otherwise a Durable Object gets no message until the write settles. */
  readonly allowConcurrency: boolean;
}
