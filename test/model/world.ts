import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Choices } from './choices.ts';

/** Something that can happen next. */
export interface Occurrence {
  /** Names it in traces, and keeps choices stable. */
  readonly label: string;
  /** How likely it is, compared with the others. */
  readonly weight: number;
  happen(choices: Choices): unknown;
}

/** What the world is made of: anything that knows what can happen next. */
export interface Source {
  /** What the rest of the system would do by itself: deliveries, answers, writes, settling hooks. */
  occurrences(): Iterable<Occurrence>;
}

interface Timer {
  readonly due: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Time that passes only when told to. */
export class ManualClock {
  #now = 1_800_000_000_000;
  #order = 0;
  readonly #timers = new Set<Timer>();

  now(): number {
    return this.#now;
  }

  /** Calls back once; returns a function that prevents it. */
  after(milliseconds: number, callback: () => void): () => void {
    const timer: Timer = { due: this.#now + milliseconds, order: (this.#order += 1), callback };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  /** When the next timer is due, if there is one. */
  nextDue(): number | undefined {
    return this.#earliest()?.due;
  }

  /** Lets time pass until the earliest timer, and fires it. */
  fireNext(): void {
    const timer = this.#earliest();
    if (timer === undefined) return;
    this.#timers.delete(timer);
    this.#now = Math.max(this.#now, timer.due);
    timer.callback();
  }

  /** Lets time pass up to there; fires nothing. */
  passTo(time: number): void {
    this.#now = Math.max(this.#now, time);
  }

  #earliest(): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) {
      if (
        earliest === undefined ||
        timer.due < earliest.due ||
        (timer.due === earliest.due && timer.order < earliest.order)
      ) {
        earliest = timer;
      }
    }
    return earliest;
  }
}

/** What a check found wrong: the property, and what was seen. */
export class PropertyFailure extends Error {
  readonly property: string;

  constructor(property: string, message: string) {
    super(`${property}: ${message}`);
    this.property = property;
  }
}

const LONGEST_NOTE = 400;

/** The scheduler: one thing happens at a time, everything that follows from it at once is done, and all is checked. */
export class World {
  readonly clock: ManualClock = new ManualClock();
  /** What happened, for whoever has to understand a failure. */
  readonly trace: string[] = [];
  readonly #sources: Source[] = [];
  readonly #checks: (() => void)[] = [];
  #failure: Error | undefined;

  addSource(source: Source): void {
    this.#sources.push(source);
  }

  /** Adds a check that runs after every step. */
  addCheck(check: () => void): void {
    this.#checks.push(check);
  }

  note(text: string): void {
    this.trace.push(text.length > LONGEST_NOTE ? `${text.slice(0, LONGEST_NOTE)}…` : text);
  }

  /** For checks that run inside listeners, whose errors others would swallow: the step fails at its end. */
  fail(failure: unknown): void {
    this.#failure ??= failure instanceof Error ? failure : new Error(String(failure));
  }

  occurrences(): Occurrence[] {
    const all: Occurrence[] = [];
    for (const source of this.#sources) all.push(...source.occurrences());
    return all;
  }

  /** Lets one thing happen, with all that follows from it before anything else can. */
  async step(occurrence: Occurrence, choices: Choices): Promise<void> {
    this.note(occurrence.label);
    occurrence.happen(choices);
    // Promise callbacks, however many follow from each other, are done before the next turn of the event loop.
    await nextTurn();
    if (this.#failure !== undefined) throw this.#failure;
    for (const check of this.#checks) check();
  }
}
