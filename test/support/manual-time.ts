interface Timer {
  readonly due: number;
  readonly callback: () => void;
}

/** A clock that a test moves. */
export class ManualTime {
  now = 1_000_000;
  #timers: Timer[] = [];

  /** The number of timers that are set. */
  get pending(): number {
    return this.#timers.length;
  }

  readonly after = (milliseconds: number, callback: () => void): (() => void) => {
    const timer = { due: this.now + milliseconds, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  };

  /** Lets that time pass, and everything happen that is due meanwhile, in order. */
  pass(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (;;) {
      let next: Timer | undefined;
      for (const timer of this.#timers)
        if (timer.due <= end && (next === undefined || timer.due < next.due)) next = timer;
      if (next === undefined) break;
      const { due, callback } = next;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.now = Math.max(this.now, due);
      callback();
    }
    this.now = end;
  }

  /** Forgets all timers: the process that set them is gone. */
  forget(): void {
    this.#timers = [];
  }
}
