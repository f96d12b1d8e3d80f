/**
 * The connections on whose behalf the room's own code runs: a change that it makes names them (`EVENT-8`). Code that is async
 * may change the Store at any moment until it ends, and nobody can tell which of several did it: so a change names them all.
 */
export class RepresentedCallers<Origin> {
  /** The caller of the code that runs within the current call. */
  #current: Origin | undefined;
  readonly #underWay = new Set<readonly [caller: Origin]>();

  /** The callers of a change that is made now. */
  get now(): readonly Origin[] {
    if (this.#current !== undefined) return [this.#current];
    return [...new Set(Array.from(this.#underWay, ([caller]) => caller))];
  }

  /** Runs code on behalf of a connection. Returns what it returns, and a function that ends it. If it throws, it has ended. */
  run<T>(caller: Origin, code: () => T): readonly [outcome: T, end: () => void] {
    const outer = this.#current;
    const entry = [caller] as const;
    this.#current = caller;
    try {
      const outcome = code();
      this.#underWay.add(entry);
      return [outcome, () => this.#underWay.delete(entry)];
    } finally {
      this.#current = outer;
    }
  }
}
