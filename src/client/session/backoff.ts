const FIRST_MILLISECONDS = 200;
const LONGEST_MILLISECONDS = 30_000;

/** Spaces attempts: the first retry is immediate, later ones wait twice as long each, with jitter, up to 30 s. */
export class Backoff {
  readonly #after: (milliseconds: number, callback: () => void) => () => void;
  readonly #random: () => number;
  #attempts = 0;
  #waiting: { readonly attempt: () => void; readonly cancel: () => void } | undefined;

  constructor(
    after: (milliseconds: number, callback: () => void) => () => void,
    random: () => number,
  ) {
    this.#after = after;
    this.#random = random;
  }

  /** Tries again, later; replaces an attempt that waits. */
  retry(attempt: () => void): void {
    this.stop();
    const longest =
      this.#attempts === 0 ? 0 : FIRST_MILLISECONDS * 2 ** Math.min(this.#attempts - 1, 10);
    this.#attempts++;
    const delay = Math.min(longest, LONGEST_MILLISECONDS) * (0.5 + this.#random() / 2);
    const cancel = this.#after(delay, () => {
      this.#waiting = undefined;
      attempt();
    });
    this.#waiting = { attempt, cancel };
  }

  /** Makes the attempt that waits at once: there is reason to think that it goes better now. */
  hurry(): void {
    const waiting = this.#waiting;
    this.stop();
    waiting?.attempt();
  }

  /** Something went well: the next retry is immediate again. */
  reset(): void {
    this.#attempts = 0;
  }

  /** Prevents an attempt that waits. */
  stop(): void {
    this.#waiting?.cancel();
    this.#waiting = undefined;
  }
}
