/**
 * The connections on whose behalf the room's own code runs: its changes name them (`EVENT-8`). Async code may change the Store at any
 * moment until it ends. If several run, nothing tells which of them made a change, so the change names all their callers.
 */
export class RepresentedCallers<Connection> {
  /** The caller of the code that runs within the current call. */
  #current: Connection | undefined;
  readonly #underWay = new Set<readonly [caller: Connection]>();

  /** The callers of a change that is made now. */
  get now(): readonly Connection[] {
    if (this.#current !== undefined) return [this.#current];
    return [...new Set(Array.from(this.#underWay, ([caller]) => caller))];
  }

  /** Runs code on behalf of a connection. Returns its result, and the function that ends it. Code that throws has ended. */
  run<T>(caller: Connection, code: () => T): readonly [outcome: T, end: () => void] {
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
