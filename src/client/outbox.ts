import { decodeChanges } from '../protocol/codec.ts';
import type { BaseRecord, ClientStorage, OutboxRecord } from './client-storage.ts';
import type { PendingPush } from './replica.ts';

/** What the outbox record is made of at the moment it is written. */
export interface OutboxState {
  readonly clientId: string;
  readonly generation: number;
  readonly lastNumber: number;
  readonly pending: readonly PendingPush[];
}

/** What to call, and when. */
export interface OutboxEvents {
  /** More is durable than before. */
  readonly onDurable: () => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Keeps a client's two records in step with what it may send and confirm (KEEP-2, KEEP-3). Without storage,
 * everything counts as durable at once.
 */
export class Outbox {
  readonly #storage: ClientStorage | undefined;
  readonly #events: OutboxEvents;
  /** Answered pushes that no durable base includes yet. */
  #answered: PendingPush[] = [];
  #confirmed = 0;
  #durableGeneration = 0;
  #durablePush = 0;
  #isWriting = false;
  #waiting: (() => OutboxState) | undefined;

  constructor(storage: ClientStorage | undefined, events: OutboxEvents) {
    this.#storage = storage;
    this.#events = events;
  }

  /** The highest push number that may be reported as acked: a restart will not need it again. */
  get confirmed(): number {
    return this.#confirmed;
  }

  /** Takes over what was durable before a restart; returns the pushes that are pending again. */
  restore(record: OutboxRecord, folded: number): readonly PendingPush[] {
    this.#durableGeneration = record.generation;
    this.#durablePush = record.lastNumber;
    this.#confirmed = folded;
    return record.pushes
      .filter((push) => push.number > folded)
      .map((push) => ({
        number: push.number,
        changes: decodeChanges(push.changes),
        encoded: push.changes,
      }));
  }

  isGenerationDurable(generation: number): boolean {
    return this.#storage === undefined || generation <= this.#durableGeneration;
  }

  isPushDurable(number: number): boolean {
    return this.#storage === undefined || number <= this.#durablePush;
  }

  /** The room has dealt with these pushes. */
  answered(pushes: readonly PendingPush[]): void {
    const last = pushes.at(-1);
    if (last === undefined) return;
    if (this.#storage === undefined) this.#confirmed = last.number;
    else this.#answered.push(...pushes);
  }

  /** Makes the state durable as it is when the write begins. Writes follow each other, and skip what is outdated. */
  save(state: () => OutboxState): void {
    if (this.#storage === undefined) return;
    this.#waiting = state;
    if (!this.#isWriting) void this.#write(this.#storage);
  }

  /** Makes a base durable, and forgets the pushes that it includes. */
  async saveBase(record: BaseRecord): Promise<void> {
    if (this.#storage === undefined) return;
    try {
      await this.#storage.writeBase(record);
    } catch (error) {
      this.#events.onError(error);
      return;
    }
    this.#confirmed = Math.max(this.#confirmed, record.folded);
    this.#answered = this.#answered.filter((push) => push.number > record.folded);
  }

  /** A new client id begins with nothing. */
  clear(): void {
    this.#answered = [];
    this.#confirmed = this.#durableGeneration = this.#durablePush = 0;
  }

  async #write(storage: ClientStorage): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting !== undefined) {
      const state = this.#waiting();
      this.#waiting = undefined;
      const pushes = [...this.#answered, ...state.pending];
      try {
        await storage.writeOutbox({
          clientId: state.clientId,
          generation: state.generation,
          lastNumber: state.lastNumber,
          pushes: pushes.map(({ number, encoded }) => ({ number, changes: encoded })),
        });
        this.#durableGeneration = state.generation;
        this.#durablePush = state.lastNumber;
        this.#events.onDurable();
      } catch (error) {
        this.#events.onError(error);
      }
    }
    this.#isWriting = false;
  }
}
