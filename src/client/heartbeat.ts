/** How long nothing is sent before a ping. Long enough not to keep a room from hibernating. */
const PING_MILLISECONDS = 25_000;
/** How long a ping may go without hearing anything before the connection counts as dead. */
const SILENCE_MILLISECONDS = 15_000;

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

  /** Something was heard: the connection is not dead. `isNews` unless it only answers a ping. */
  heard(isNews: boolean): void {
    if (isNews) this.#isSettled = false;
    if (this.#cancel === undefined) return;
    this.#cancel();
    if (this.#pinged === undefined) this.#wait();
    else this.#expect();
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
    this.#cancel = this.#after(PING_MILLISECONDS, () => {
      this.#pinged = this.#lastSent;
      this.#expect();
      this.#actions.ping(!this.#isSettled);
    });
  }

  #expect(): void {
    this.#cancel = this.#after(SILENCE_MILLISECONDS, () => {
      this.stop();
      this.#actions.dead();
    });
  }
}
