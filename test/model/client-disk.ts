import type {
  BaseRecord,
  ClientStorage,
  OutboxRecord,
  RestoredRecords,
} from '../../src/client/offline/client-storage.ts';
import type { Occurrence, Source } from './world.ts';

interface Write {
  readonly effect: () => void;
  readonly settle: () => void;
}

/** Where one client persists: each record on its own, atomic, durable when the scheduler says so. */
export class ClientDisk implements ClientStorage, Source {
  readonly #name: string;
  #outbox: OutboxRecord | undefined;
  #base: BaseRecord | undefined;
  #writes: Write[] = [];

  constructor(name: string) {
    this.#name = name;
  }

  /** What is on disk. */
  get records(): RestoredRecords {
    return { outbox: this.#outbox, base: this.#base };
  }

  /** What the next tab of this client finds. */
  get restored(): RestoredRecords {
    return this.records;
  }

  writeOutbox(record: OutboxRecord): Promise<void> {
    return this.#write(() => {
      this.#outbox = record;
    });
  }

  writeBase(record: BaseRecord): Promise<void> {
    return this.#write(() => {
      this.#base = record;
    });
  }

  /** The tab dies; of the writes on their way, some still take effect. */
  crash(effects: number): void {
    for (const { effect } of this.#writes.splice(0).slice(0, effects)) effect();
  }

  get writesInFlight(): number {
    return this.#writes.length;
  }

  *occurrences(): Iterable<Occurrence> {
    if (this.#writes.length === 0) return;
    yield {
      label: `${this.#name} disk`,
      weight: 3,
      happen: () => {
        const write = this.#writes.shift();
        write?.effect();
        write?.settle();
      },
    };
  }

  #write(effect: () => void): Promise<void> {
    return new Promise((resolve) => this.#writes.push({ effect, settle: resolve }));
  }
}
