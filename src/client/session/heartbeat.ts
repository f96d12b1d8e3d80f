/** How long nothing is sent before a ping. Long enough not to keep a room from hibernating. */
const PING_MILLISECONDS = 25_000;
/** How long a ping may go without hearing anything before the connection counts as dead. */
const SILENCE_MILLISECONDS = 15_000;
/** The same, where there is reason to think that it is. */
const HASTY_MILLISECONDS = 5000;

/** What a heartbeat does. */
export interface HeartbeatActions {
  /** Asks whether anybody is there; if told so, the room itself, whether anything was lost. */
  readonly ping: (isCheck: boolean) => void;
  /** Nothing was heard for too long. */
  readonly dead: () => void;
}

/** Pings while a connection lasts, and remembers what was sent before each ping (ORDER-7). */
export class Heartbeat {
  readonly #after: (milliseconds: number, callback: () => void) => () => void;
  readonly #actions: HeartbeatActions;
  #cancel: (() => void) | undefined;
  #lastSent = 0;
  /** Nothing was sent or heard since the room itself said that nothing is missing: it may sleep. */
  #isSettled = false;
  /** The last push sent before the ping that is not answered yet. */
  #pinged: number | undefined;

  constructor(
    after: (milliseconds: number, callback: () => void) => () => void,
    actions: HeartbeatActions,
  ) {
    this.#after = after;
    this.#actions = actions;
  }

  /** Begins anew, for a new conversation. */
  start(): void {
    this.stop();
    this.#lastSent = 0;
    this.#isSettled = false;
    this.#wait();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#pinged = undefined;
  }

  /** A push was sent. */
  sent(push: number): void {
    this.#lastSent = push;
    this.#isSettled = false;
  }

  /** The connection may be dead: asks at once, and does not wait for long. */
  check(): void {
    if (this.#cancel === undefined) return;
    this.#cancel();
    this.#ask(HASTY_MILLISECONDS);
  }

  /** Something was heard: the connection is not dead. `isNews` unless it only answers a ping. */
  heard(isNews: boolean): void {
    if (isNews) this.#isSettled = false;
    if (this.#cancel === undefined) return;
    this.#cancel();
    if (this.#pinged === undefined) this.#wait();
    else this.#expect(SILENCE_MILLISECONDS);
  }

  /** The host answered a ping for the room. */
  alive(): void {
    this.#end();
  }

  /** A pong came: returns the last push sent before its ping, or undefined if no ping was waiting. */
  answered(): number | undefined {
    const pinged = this.#pinged;
    this.#isSettled = pinged === this.#lastSent;
    this.#end();
    return pinged;
  }

  #end(): void {
    this.#pinged = undefined;
    if (this.#cancel !== undefined) {
      this.#cancel();
      this.#wait();
    }
  }

  #wait(): void {
    this.#cancel = this.#after(PING_MILLISECONDS, () => this.#ask(SILENCE_MILLISECONDS));
  }

  #ask(milliseconds: number): void {
    // The next pong may be that to an earlier ping, and knows of nothing that was sent since.
    this.#pinged ??= this.#lastSent;
    this.#expect(milliseconds);
    this.#actions.ping(!this.#isSettled);
  }

  #expect(milliseconds: number): void {
    this.#cancel = this.#after(milliseconds, () => {
      this.stop();
      this.#actions.dead();
    });
  }
}
