/** The calls of each connection that are not answered yet, so that none has too many of them. */
export class CallsUnderWay<Connection extends object> {
  readonly #byConnection = new WeakMap<Connection, { count: number; length: number }>();

  /** Counts a call with an input of that length. Returns false and counts nothing if it is too much. */
  begin(
    connection: Connection,
    length: number,
    limits: { readonly calls: number; readonly callsLength: number },
  ): boolean {
    const { count, length: others } = this.#byConnection.get(connection) ?? { count: 0, length: 0 };
    if (count >= limits.calls || others + length > limits.callsLength) return false;
    this.#byConnection.set(connection, { count: count + 1, length: others + length });
    return true;
  }

  /** Counts a call of that length no more. */
  end(connection: Connection, length: number): void {
    const known = this.#byConnection.get(connection);
    if (known === undefined) return;
    known.count -= 1;
    known.length -= length;
  }
}
