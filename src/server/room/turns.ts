import type { MaybePromise } from './maybe-promise.ts';
import type { RoomHost } from './room-host.ts';

/** The cost of the messages that are handled in one turn, in ordinary messages. */
const COST_OF_TURN = 32;

/** The messages of one frame. */
export interface FrameWork {
  readonly messages: readonly unknown[];
  /** In characters. */
  readonly length: number;
  /** The cost of each, in ordinary messages. */
  readonly cost: number;
  /** Called before the first message. Returns false to drop them all. */
  readonly begin: () => boolean;
  /** Handles one message. Neither throws nor rejects. */
  readonly handle: (message: unknown) => MaybePromise<void>;
}

/**
 * Lets connections that send much take turns (`FLOOD-9`). A host delivers messages in the order in which they came. Without turns,
 * everybody would wait for the end of each burst.
 */
export class Turns {
  readonly #host: Pick<RoomHost<never>, 'takeTurn'>;
  /** The lines in which something waits. The first one is next. */
  readonly #lines = new Set<TurnLine>();
  /** The cost that is left in the present turn. */
  #left = COST_OF_TURN;
  #isRunning = false;

  constructor(host: Pick<RoomHost<never>, 'takeTurn'>) {
    this.#host = host;
  }

  /**
   * Handles a frame of the connection with that line. Does so within the call, unless frames of the connection wait already, or it
   * sends much (`isBusy`) and the frame does not fit into the turn. Settles when the frame was handled or dropped.
   */
  take(line: TurnLine, isBusy: boolean, work: FrameWork): MaybePromise<void> {
    const isFree = !isBusy || this.#host.takeTurn === undefined;
    if (line.isEmpty && (isFree || this.#spend(work))) {
      if (!work.begin()) return undefined;
      let handled: MaybePromise<void> = undefined;
      // Each message is handled after those before it, so the last promise is enough.
      for (const message of work.messages) handled = work.handle(message) ?? handled;
      return handled;
    }
    const frame = new QueuedFrame(work);
    line.add(frame);
    this.#lines.add(line);
    if (!this.#isRunning) void this.#run();
    return frame.handled;
  }

  /** Returns true if more than `limit` characters wait, and the connection with that line has its equal part of that or more. */
  isFull(line: TurnLine, limit: number): boolean {
    if (line.isEmpty) return false;
    let length = 0;
    for (const { length: added } of this.#lines) length += added;
    return length > limit && line.length * this.#lines.size >= limit;
  }

  /** Takes the cost of a frame from the turn. Returns false if it does not fit, or if other frames wait. */
  #spend({ cost, messages }: FrameWork): boolean {
    const whole = cost * messages.length;
    if (this.#lines.size > 0 || whole > this.#left) return false;
    this.#left -= whole;
    if (!this.#isRunning) void this.#run();
    return true;
  }

  /** Handles a part of what waits, then lets the host deliver what others have sent, until nothing waits. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    do {
      this.#runTurn();
      await this.#host.takeTurn?.();
      this.#left = COST_OF_TURN;
    } while (this.#lines.size > 0);
    this.#isRunning = false;
  }

  #runTurn(): void {
    for (const line of this.#lines) {
      if (this.#left <= 0) return;
      this.#left = line.handle(this.#left);
      this.#lines.delete(line);
      if (this.#left > 0) continue;
      // Its rest goes behind all others.
      if (!line.isEmpty) this.#lines.add(line);
    }
  }
}

/** The frames of one connection that wait for its turn, in order. */
export class TurnLine {
  #frames: QueuedFrame[] = [];
  #length = 0;

  /** True if nothing waits. */
  get isEmpty(): boolean {
    return this.#frames.length === 0;
  }

  /** The length of what waits, in characters. */
  get length(): number {
    return this.#length;
  }

  add(frame: QueuedFrame): void {
    this.#length += frame.length;
    this.#frames.push(frame);
  }

  /** Acts after all that waits; at once if nothing waits. Of several actions behind the same frame, only the first happens. */
  behind(act: () => void): void {
    const last = this.#frames.at(-1);
    if (last === undefined) act();
    else last.afterwards ??= act;
  }

  /** Handles what waits, until the budget is spent. Returns the rest of the budget. */
  handle(budget: number): number {
    let left = budget;
    for (let [frame] = this.#frames; frame !== undefined && left > 0; [frame] = this.#frames) {
      left = frame.handle(left);
      // Handling it may have dropped all that waits.
      if (!frame.isDone || frame !== this.#frames[0]) continue;
      this.#length -= frame.length;
      this.#frames.shift();
    }
    return left;
  }

  /** Drops all that waits, and frees its memory. */
  drop(): void {
    this.#length = 0;
    for (const frame of this.#frames.splice(0)) frame.drop();
  }
}

/** A frame that waits for its turn, or has some messages left. */
class QueuedFrame {
  /** Settles when all of it was handled, or it was dropped. */
  readonly handled: Promise<void>;
  readonly length: number;
  /** Called when all of it was handled, or it was dropped in its turn. */
  afterwards: (() => void) | undefined;
  #work: FrameWork | undefined;
  #next = 0;
  #last: MaybePromise<void> = undefined;
  #settle: ((last: MaybePromise<void>) => void) | undefined;

  constructor(work: FrameWork) {
    this.#work = work;
    this.length = work.length;
    this.handled = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get isDone(): boolean {
    return this.#work === undefined;
  }

  /** Handles messages until the budget is spent. Returns the rest of the budget. */
  handle(budget: number): number {
    let left = budget;
    while (this.#work !== undefined && left > 0) {
      const { messages, cost, begin, handle } = this.#work;
      const isBegun = this.#next > 0 || begin();
      if (isBegun) {
        this.#last = handle(messages[this.#next]) ?? this.#last;
        this.#next += 1;
        left -= cost;
        if (this.#next < messages.length) continue;
      }
      this.drop();
      this.afterwards?.();
    }
    return left;
  }

  /** Ends it, and frees its memory. */
  drop(): void {
    this.#work = undefined;
    this.#settle?.(this.#last);
  }
}
