interface Held {
  /** How many writes it waits for, of all there ever were. */
  readonly writes: number;
  readonly letOut: () => void;
}

/**
 * The gate that the host of a Durable Object has for all that leaves it: that waits until everything written before is on disk. Writes
 * are done in the order in which they began.
 */
export class OutputGate {
  #begun = 0;
  #done = 0;
  #held: Held[] = [];
  #isBroken = false;

  /** A write was handed over. */
  begin(): void {
    this.#begun += 1;
  }

  /** The oldest of them is on disk. */
  end(): void {
    this.#done += 1;
    const isFree = ({ writes }: Held): boolean => writes <= this.#done;
    const free = this.#held.filter(isFree);
    this.#held = this.#held.filter((held) => !isFree(held));
    for (const { letOut } of free) letOut();
  }

  /** A write failed, or the process died: nothing that was held ever leaves, and nothing else does. */
  break(): void {
    this.#isBroken = true;
    this.#held = [];
  }

  /** Calls back when what was written before is on disk: at once if it is; never if that failed. */
  hold(letOut: () => void): void {
    if (this.#isBroken) return;
    if (this.#begun === this.#done) letOut();
    else this.#held.push({ writes: this.#begun, letOut });
  }
}
