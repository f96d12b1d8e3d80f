import type { StoreClaim } from './store-claim.ts';

/** Something that a persister may do with its Store. */
export type StoreUseKind = 'follow' | 'load' | 'start-saving' | 'save';

/** The time after which a wait is reported. A persister that is being destroyed sends its last edits in less. */
const BLOCKED_MILLISECONDS = 3000;

interface Wait {
  readonly begin: () => Promise<void>;
  readonly settle: (begun: Promise<void> | undefined) => void;
}

/** Lets a persister begin when its Store is free (STORE-1): at once, or when the persister that holds it ends. */
export class StoreTurn {
  readonly #claim: StoreClaim;
  readonly #after: (milliseconds: number, callback: () => void) => () => void;
  readonly #onBlocked: () => void;
  readonly #waits = new Map<StoreUseKind, Wait>();
  #hasEnded = false;
  #isReported = false;
  #cancelWait: (() => void) | undefined;
  #cancelReport: (() => void) | undefined;

  /** `onBlocked` is called once if the Store is not free for seconds. */
  constructor(
    claim: StoreClaim,
    after: (milliseconds: number, callback: () => void) => () => void,
    onBlocked: () => void,
  ) {
    this.#claim = claim;
    this.#after = after;
    this.#onBlocked = onBlocked;
  }

  /** Returns true if this kind of use waits for the Store. */
  isWaiting(kind: StoreUseKind): boolean {
    return this.#waits.has(kind);
  }

  /** Begins when the Store is free. Settles with the result of `begin`, or when the wait is reported or cancelled. */
  begin(kind: StoreUseKind, begin: () => Promise<void>): Promise<void> {
    // A persister that has ended reports that itself, and may not take the Store.
    if (this.#hasEnded || this.#claim.take()) return begin();
    this.cancel(kind);
    return new Promise((resolve) => {
      this.#waits.set(kind, { begin, settle: resolve });
      if (this.#isReported) resolve();
      this.#cancelWait ??= this.#claim.whenFree(() => this.#storeIsFree());
      this.#cancelReport ??= this.#after(BLOCKED_MILLISECONDS, () => this.#report());
    });
  }

  /** Ends the wait of this kind of use. */
  cancel(kind: StoreUseKind): void {
    this.#waits.get(kind)?.settle(undefined);
    this.#waits.delete(kind);
    if (this.#waits.size === 0) this.#stopWaiting();
  }

  /** Ends every wait, now and later. */
  end(): void {
    this.#hasEnded = true;
    for (const kind of this.#waits.keys()) this.cancel(kind);
  }

  #storeIsFree(): void {
    this.#cancelWait = undefined;
    // Cancelled since the Store became free.
    if (this.#waits.size === 0) return;
    if (!this.#claim.take()) {
      this.#cancelWait = this.#claim.whenFree(() => this.#storeIsFree());
      return;
    }
    const waits = [...this.#waits.values()];
    this.#waits.clear();
    this.#stopWaiting();
    for (const { begin, settle } of waits) settle(begin());
  }

  #report(): void {
    this.#isReported = true;
    for (const { settle } of this.#waits.values()) settle(undefined);
    this.#onBlocked();
  }

  #stopWaiting(): void {
    this.#cancelWait?.();
    this.#cancelReport?.();
    this.#cancelWait = this.#cancelReport = undefined;
    this.#isReported = false;
  }
}
