import { warn } from '../protocol/warn.ts';

interface Call {
  /** The errors that `onIgnoredError` threw while this call ran. */
  readonly thrown: unknown[];
}

/**
 * Tells the app of errors from which the persister recovers, or the console if the app does not listen. An error that the app throws at
 * that never harms the persister: the calls that run reject with it, as those of TinyBase's persisters do.
 */
export class IgnoredErrors {
  readonly #onIgnoredError: (error: unknown) => void;
  readonly #calls = new Set<Call>();

  constructor(onIgnoredError: ((error: unknown) => void) | undefined) {
    this.#onIgnoredError = onIgnoredError ?? warn;
  }

  /** Tells the app. */
  tell(reported: unknown): void {
    try {
      // oxlint-disable-next-line no-console -- Nobody else can be told.
      Promise.resolve(this.#onIgnoredError(reported)).catch((thrown) => console.error(thrown));
    } catch (thrown) {
      for (const call of this.#calls) call.thrown.push(thrown);
      if (this.#calls.size > 0) return;
      // oxlint-disable-next-line no-console -- Nobody else can be told.
      console.error('tinybase-partykit: onIgnoredError threw an error.', thrown);
    }
  }

  /** Runs a call of the app. Rejects with the first error that `onIgnoredError` throws meanwhile. */
  async during(action: () => Promise<void>): Promise<void> {
    const call: Call = { thrown: [] };
    this.#calls.add(call);
    try {
      await action();
    } finally {
      this.#calls.delete(call);
    }
    if (call.thrown.length > 0) throw call.thrown[0];
  }
}
