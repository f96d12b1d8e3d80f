import { isPausing } from '../room/clock.ts';
import type { RoomParts } from '../room/room-parts.ts';
import type { CheckpointSource } from '../storage/snapshot-writer.ts';
import { StoreContent } from '../storage/store-content.ts';
import type { RoomPersistence } from './room-persistence.ts';
import type { RoomState } from './room-state.ts';

/** The pause after a checkpoint that failed. */
const RETRY_MILLISECONDS = 60_000;
/** The pause of a checkpoint that finds a transaction open. */
const BUSY_RETRY_MILLISECONDS = 20;

/** Writes snapshots of a room that keeps running, and shortens its log and its history (`DURABLE-4`). */
export class Checkpoints<Connection, Request> {
  readonly #parts: RoomParts<Connection, Request>;
  readonly #persistence: RoomPersistence<Connection, Request>;
  #isRunning = false;
  /** The time of the last one that failed. */
  #failedTime = -Infinity;

  constructor(
    parts: RoomParts<Connection, Request>,
    persistence: RoomPersistence<Connection, Request>,
  ) {
    this.#parts = parts;
    this.#persistence = persistence;
  }

  /** True if the storage wants a snapshot now. */
  get isDue(): boolean {
    return (
      this.#persistence.storage?.wantsCheckpoint === true &&
      !this.#isRunning &&
      !isPausing(this.#failedTime, RETRY_MILLISECONDS, this.#parts.host.now())
    );
  }

  /** Writes a snapshot now, if there is anything to write or to remove. Never rejects. */
  async runNow(): Promise<void> {
    const state = this.#persistence.current;
    if (state === undefined || !(await state.durability.whenDurable())) return;
    const isPossible = this.#persistence.storage?.canCheckpoint === true && !this.#isRunning;
    if (isPossible && state === this.#persistence.current) await this.run(state);
  }

  /** Writes a snapshot, and shortens the log and the history. Never rejects. */
  async run(state: RoomState<Connection, Request>): Promise<void> {
    const { host, reporter } = this.#parts;
    const { storage } = this.#persistence;
    this.#isRunning = true;
    try {
      const oldest = await storage?.checkpoint(this.#sourceOf(state));
      if (state !== this.#persistence.current) return;
      if (oldest === 'emptied') await this.#persistence.foundEmpty();
      else if (oldest !== undefined) state.history.trimBefore(oldest);
    } catch (error) {
      // The room was discarded, so this failure is expected and already reported.
      if (state !== this.#persistence.current) return;
      this.#failedTime = host.now();
      reporter.report(error, 'storage');
    } finally {
      this.#isRunning = false;
    }
  }

  #sourceOf(state: RoomState<Connection, Request>): CheckpointSource {
    const { host, observed, writer, peers } = this.#parts;
    return {
      content: new StoreContent(observed.store),
      clients: () => {
        state.clients.sweep(host.now(), peers.clients());
        return state.clients.snapshot();
      },
      pause: () =>
        new Promise((resolve) => {
          host.after(writer.isFree() ? 0 : BUSY_RETRY_MILLISECONDS, resolve);
        }),
      // An open transaction may be rolled back, but what it did so far is in the Store.
      isReadable: () => writer.isFree(),
      whenAppended: async () => {
        const isDurable = await state.durability.whenDurable();
        // Without its state, the Store may have what was never ordered.
        if (!isDurable || state !== this.#persistence.current)
          throw new Error('The room was discarded.');
      },
    };
  }
}
