interface Scheduled {
  readonly action: () => Promise<unknown>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Runs the actions of a persister one after the other: its loads and saves, and what the app schedules. */
export class PersisterSchedule {
  readonly #waiting: Scheduled[] = [];
  #running: Promise<void> | undefined;

  /** Runs an action after all earlier ones: at once if there is none. Settles with it, or when the schedule ends first. */
  run(action: () => Promise<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ action, resolve, reject });
      if (this.#running === undefined) this.#runNext();
    });
  }

  /** Forgets the actions that wait, and settles them. Settles itself when the one that runs is done. */
  async end(): Promise<void> {
    const forgotten = this.#waiting.splice(0);
    for (const { resolve } of forgotten) resolve();
    await this.#running;
  }

  #runNext(): void {
    const next = this.#waiting.shift();
    this.#running = next && this.#perform(next);
  }

  /** Never rejects. */
  async #perform({ action, resolve, reject }: Scheduled): Promise<void> {
    try {
      await action();
      resolve();
    } catch (error) {
      reject(error);
    }
    this.#runNext();
  }
}
