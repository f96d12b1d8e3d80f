/** A connection for which no more than this is held, in characters, always gets space. */
export const FREE_LENGTH: number = 32 * 1024;

/**
 * The lengths of all that the room holds for connections, in characters: messages that wait, parts of pushes, inputs of calls,
 * and what the connections have not read (`LIMIT-5`).
 */
export class HeldMemory<Holder> {
  readonly #accounts = new Set<HeldLength<Holder>>();
  #length = 0;

  /** The sum. */
  get length(): number {
    return this.#length;
  }

  /** The accounts of those for whom something is held. */
  get accounts(): Iterable<HeldLength<Holder>> {
    return this.#accounts;
  }

  /** Makes the account of a holder. */
  open(holder: Holder): HeldLength<Holder> {
    return new HeldLength(this, holder);
  }

  /** Call this when an account has changed. */
  noteChange(account: HeldLength<Holder>, change: number): void {
    this.#length += change;
    if (account.length > 0) this.#accounts.add(account);
    else this.#accounts.delete(account);
  }
}

/** The length of all that is held for one connection. */
export class HeldLength<Holder> {
  readonly holder: Holder;
  readonly #memory: HeldMemory<Holder>;
  #length = 0;
  #fixed = 0;

  constructor(memory: HeldMemory<Holder>, holder: Holder) {
    this.#memory = memory;
    this.holder = holder;
  }

  get length(): number {
    return this.#length;
  }

  /** The part of it that is free once the connection is closed. */
  get free(): number {
    return this.#length - this.#fixed;
  }

  /** Adds a length that stays until some work ends, even if the connection is closed; removes it if negative. */
  addFixed(length: number): void {
    this.#fixed += length;
    this.add(length);
  }

  /** Adds a length; removes it if negative. */
  add(length: number): void {
    if (length === 0) return;
    this.#length += length;
    this.#memory.noteChange(this, length);
  }
}
