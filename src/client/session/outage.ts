import { TinyBasePartyKitError } from '../../protocol/errors.ts';

/** How long a socket may stay closed before that is told, in milliseconds. */
const LONGEST_MILLISECONDS = 10_000;
/** How often in a row it may fail to open before that is told at once. */
const MOST_FAILURES = 3;

/** While somebody waits for the socket; it is told of once. */
type OutageState =
  | 'none'
  | 'told'
  | { readonly failures: number; readonly cancelTelling: () => void };

/** Notices that a socket does not open, which nobody else would tell of. */
export class Outage {
  readonly #after: (milliseconds: number, callback: () => void) => () => void;
  readonly #address: () => string;
  readonly #onError: (error: unknown) => void;
  #state: OutageState = 'none';

  /** `onError` is told once in each outage. */
  constructor(
    after: (milliseconds: number, callback: () => void) => () => void,
    address: () => string,
    onError: (error: unknown) => void,
  ) {
    this.#after = after;
    this.#address = address;
    this.#onError = onError;
  }

  /** The socket is closed, and somebody waits for it. */
  begin(): void {
    if (this.#state !== 'none') return;
    const cancelTelling = this.#after(LONGEST_MILLISECONDS, () => this.#tellOnce());
    this.#state = { failures: 0, cancelTelling };
  }

  /** The socket has closed or, if it was closed, failed to open. Somebody waits for it. */
  closed(): void {
    if (typeof this.#state !== 'object') {
      this.begin();
      return;
    }
    const { failures, cancelTelling } = this.#state;
    this.#state = { failures: failures + 1, cancelTelling };
    if (failures + 1 === MOST_FAILURES) this.#tellOnce();
  }

  /** The socket is open, or nobody waits for it any more. */
  end(): void {
    if (typeof this.#state === 'object') this.#state.cancelTelling();
    this.#state = 'none';
  }

  #tellOnce(): void {
    this.end();
    this.#state = 'told';
    const message = `The socket to ${this.#address()} does not open. Is the server running? Is the protocol right (PartySocket takes wss for hosts that it does not know as local, such as 0.0.0.0)? Is the URL, with its query, below 2 KB?`;
    this.#onError(new TinyBasePartyKitError('network', message));
  }
}
