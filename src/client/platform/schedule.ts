/** Runs an app's own actions one after the other, as a TinyBase Persister's `schedule` does. */
export class Schedule {
  readonly #onError: (error: unknown) => void;
  #last: Promise<void> = Promise.resolve();

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** Settles when the last of these actions is over. One that fails is reported, and the next one runs. */
  add(actions: readonly (() => Promise<unknown>)[]): Promise<void> {
    for (const action of actions) this.#last = this.#last.then(action).then(nothing, this.#onError);
    return this.#last;
  }
}

function nothing(): void {}
