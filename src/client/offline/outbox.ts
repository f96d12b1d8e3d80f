import { decodeChanges } from '../../protocol/codec.ts';
import type { BaseRecord, ClientStorage, OutboxRecord } from './client-storage.ts';
import { BUSY } from '../content/first-content.ts';
import type { PendingPush } from '../replica/replica.ts';

/** What the outbox record is made of at the moment it is written. */
interface OutboxState {
  readonly clientId: string;
  readonly generation: number;
  readonly lastNumber: number;
  readonly pending: readonly PendingPush[];
}

/** What an outbox needs of its session. */
export interface OutboxOptions {
  /** Without it, everything counts as durable at once. */
  readonly storage: ClientStorage | undefined;
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  readonly state: () => OutboxState;
  /** The base as it is, `'busy'` if that cannot be read just now, undefined if there is none worth keeping. */
  readonly base: () => Omit<BaseRecord, 'folded'> | typeof BUSY | undefined;
  /** More is durable than before. */
  readonly onDurable: () => void;
  readonly onError: (error: unknown) => void;
}

/** How long after a change the base is written, and how long after a failure all is written again. */
const LATER_MILLISECONDS = 1000;

/** Keeps a client's two records in step with what it may send and confirm (KEEP-2, KEEP-3). */
export class Outbox {
  readonly #options: OutboxOptions;
  /** Answered pushes that no durable base includes yet. */
  #answered: PendingPush[] = [];
  /** The highest push number that was answered. */
  #folded = 0;
  #confirmed = 0;
  #durableGeneration = 0;
  #durablePush = 0;
  /** Rises with {@link clear}: what was begun before is of no use after. */
  #lives = 0;
  #isWriting = false;
  #isOutdated = false;
  #cancelBase: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** The highest push number that may be reported as acked: a restart will not need it again. */
  get confirmed(): number {
    return this.#confirmed;
  }

  /** Takes over what was durable before a restart; returns the pushes that are pending again. */
  restore(
    { generation, lastNumber, pushes }: OutboxRecord,
    folded: number,
  ): readonly PendingPush[] {
    this.#durableGeneration = generation;
    this.#durablePush = lastNumber;
    this.#folded = this.#confirmed = folded;
    return pushes
      .filter((push) => push.number > folded)
      .map(({ number, changes }) => ({
        number,
        changes: decodeChanges(changes),
        encoded: changes,
      }));
  }

  isGenerationDurable(generation: number): boolean {
    return this.#options.storage === undefined || generation <= this.#durableGeneration;
  }

  isPushDurable(number: number): boolean {
    return this.#options.storage === undefined || number <= this.#durablePush;
  }

  /** The room has dealt with these pushes, and the base includes what came of them. */
  answered(pushes: readonly PendingPush[]): void {
    const last = pushes.at(-1);
    if (last !== undefined) {
      this.#folded = Math.max(this.#folded, last.number);
      if (this.#options.storage === undefined) this.#confirmed = last.number;
      else this.#answered.push(...pushes);
    }
    this.saveBaseLater();
  }

  /** Makes the state durable as it is when the write begins. Writes follow each other. */
  save(): void {
    const { storage } = this.#options;
    if (storage === undefined) return;
    this.#isOutdated = true;
    if (!this.#isWriting) void this.#write(storage);
  }

  /** The base has changed. */
  saveBaseLater(): void {
    const { storage, after } = this.#options;
    if (storage === undefined || this.#cancelBase !== undefined) return;
    this.#cancelBase = after(LATER_MILLISECONDS, () => {
      this.#cancelBase = undefined;
      void this.#writeBase(storage);
    });
  }

  /** A new client id begins with nothing. */
  clear(): void {
    this.#lives++;
    this.#answered = [];
    this.#folded = this.#confirmed = this.#durableGeneration = this.#durablePush = 0;
  }

  /** Writes nothing that does not wait already. */
  stop(): void {
    this.#cancelBase?.();
    this.#cancelRetry?.();
  }

  async #write(storage: ClientStorage): Promise<void> {
    this.#isWriting = true;
    while (this.#isOutdated) {
      this.#isOutdated = false;
      const life = this.#lives;
      const { clientId, generation, lastNumber, pending } = this.#options.state();
      const pushes = [...this.#answered, ...pending];
      try {
        await storage.writeOutbox({
          clientId,
          generation,
          lastNumber,
          pushes: pushes.map(({ number, encoded }) => ({ number, changes: encoded })),
        });
        if (life !== this.#lives) continue;
        this.#durableGeneration = generation;
        this.#durablePush = lastNumber;
        this.#options.onDurable();
      } catch (error) {
        this.#failed(error);
      }
    }
    this.#isWriting = false;
  }

  async #writeBase(storage: ClientStorage): Promise<void> {
    const base = this.#options.base();
    if (base === BUSY) this.saveBaseLater();
    if (base === BUSY || base === undefined) return;
    const folded = this.#folded;
    const life = this.#lives;
    try {
      await storage.writeBase({ ...base, folded });
      if (life !== this.#lives) return;
      this.#confirmed = Math.max(this.#confirmed, folded);
      this.#answered = this.#answered.filter((push) => push.number > folded);
    } catch (error) {
      this.#failed(error);
    }
    this.save();
  }

  /** Nothing is sent that is not durable, so what failed is written again until it is. */
  #failed(error: unknown): void {
    const { after, onError } = this.#options;
    onError(error);
    this.#cancelRetry?.();
    this.#cancelRetry = after(LATER_MILLISECONDS, () => {
      this.save();
      this.saveBaseLater();
    });
  }
}
