import type { MaybePromise } from './maybe-promise.ts';
import type { RoomHost } from './room-host.ts';

/** The cost of what is dealt with in one turn, in ordinary messages. */
const COST_OF_TURN = 32;

/** The messages of one frame. */
export interface FrameWork {
  readonly messages: readonly unknown[];
  /** In characters. */
  readonly length: number;
  /** The cost of each, in ordinary messages. */
  readonly cost: number;
  /** Called before the first is dealt with. Returns false if none shall be. */
  readonly begin: () => boolean;
  /** Deals with one message. Neither throws nor rejects. */
  readonly deal: (message: unknown) => MaybePromise<void>;
}

/**
 * Lets connections that send much take turns (`FLOOD-9`). A host delivers messages in the order in which they came. If a burst
 * were dealt with as it comes, everybody else would wait for its end.
 */
export class Turns {
  readonly #host: Pick<RoomHost<never>, 'takeTurn'>;
  /** The lines in which something waits, the one whose turn is next first. */
  readonly #lines = new Set<TurnLine>();
  /** The cost that the present turn has place for. */
  #left = COST_OF_TURN;
  #isRunning = false;

  constructor(host: Pick<RoomHost<never>, 'takeTurn'>) {
    this.#host = host;
  }

  /**
   * Deals with a frame of the connection with that line: within the call, unless the connection sends much and the turn has no
   * place for it, or more of it waits. Settles when the frame was dealt with or dropped.
   */
  take(line: TurnLine, isBusy: boolean, work: FrameWork): MaybePromise<void> {
    const isFree = !isBusy || this.#host.takeTurn === undefined;
    if (line.isEmpty && (isFree || this.#spend(work))) {
      if (!work.begin()) return undefined;
      let dealt: MaybePromise<void> = undefined;
      // Each message is dealt with after those before it.
      for (const message of work.messages) dealt = work.deal(message) ?? dealt;
      return dealt;
    }
    const frame = new WaitingFrame(work);
    line.add(frame);
    this.#lines.add(line);
    if (!this.#isRunning) void this.#run();
    return frame.dealt;
  }

  /** Returns true if more waits than that, in characters, and of the connection with that line its part of that or more. */
  isFull(line: TurnLine, limit: number): boolean {
    if (line.isEmpty) return false;
    let length = 0;
    for (const { length: added } of this.#lines) length += added;
    return length > limit && line.length * this.#lines.size >= limit;
  }

  /** Returns true if the turn has place for a frame, and nothing waits: one connection alone does not wait for turns that it leaves empty. */
  #spend({ cost, messages }: FrameWork): boolean {
    const whole = cost * messages.length;
    if (this.#lines.size > 0 || whole > this.#left) return false;
    this.#left -= whole;
    if (!this.#isRunning) void this.#run();
    return true;
  }

  /** Deals with a part of what waits, then lets the host deliver what others have sent, and so on. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    do {
      this.#dealOnce();
      await this.#host.takeTurn?.();
      this.#left = COST_OF_TURN;
    } while (this.#lines.size > 0);
    this.#isRunning = false;
  }

  #dealOnce(): void {
    for (const line of this.#lines) {
      if (this.#left <= 0) return;
      this.#left = line.deal(this.#left);
      this.#lines.delete(line);
      if (this.#left > 0) continue;
      // It goes behind all others.
      if (!line.isEmpty) this.#lines.add(line);
    }
  }
}

/** The frames of one connection that wait for its turn, in order. */
export class TurnLine {
  #frames: WaitingFrame[] = [];
  #length = 0;

  /** True if nothing waits. */
  get isEmpty(): boolean {
    return this.#frames.length === 0;
  }

  /** The length of what waits, in characters. */
  get length(): number {
    return this.#length;
  }

  add(frame: WaitingFrame): void {
    this.#length += frame.length;
    this.#frames.push(frame);
  }

  /** Acts behind all that waits, once if nothing comes in between; at once if nothing waits. */
  behind(act: () => void): void {
    const last = this.#frames.at(-1);
    if (last === undefined) act();
    else last.afterwards ??= act;
  }

  /** Deals with what waits, until that is spent. Returns what is left. */
  deal(budget: number): number {
    let left = budget;
    for (let [frame] = this.#frames; frame !== undefined && left > 0; [frame] = this.#frames) {
      left = frame.deal(left);
      // Dealing with it may have dropped all that waits.
      if (!frame.isDone || frame !== this.#frames[0]) continue;
      this.#length -= frame.length;
      this.#frames.shift();
    }
    return left;
  }

  /** Drops all that waits, so that nothing of it is held any more. */
  drop(): void {
    this.#length = 0;
    for (const frame of this.#frames.splice(0)) frame.drop();
  }
}

/** A frame that waits for its turn, or has some messages left. */
class WaitingFrame {
  /** Settles when all of it was dealt with, or it was dropped. */
  readonly dealt: Promise<void>;
  readonly length: number;
  /** Called when all of it was dealt with. */
  afterwards: (() => void) | undefined;
  #work: FrameWork | undefined;
  #next = 0;
  #last: MaybePromise<void> = undefined;
  #settle: ((last: MaybePromise<void>) => void) | undefined;

  constructor(work: FrameWork) {
    this.#work = work;
    this.length = work.length;
    this.dealt = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  get isDone(): boolean {
    return this.#work === undefined;
  }

  /** Deals with messages until that is spent. Returns what is left. */
  deal(budget: number): number {
    let left = budget;
    while (this.#work !== undefined && left > 0) {
      const { messages, cost, begin, deal } = this.#work;
      if (this.#next === 0 && !begin()) {
        this.drop();
        break;
      }
      this.#last = deal(messages[this.#next]) ?? this.#last;
      this.#next += 1;
      left -= cost;
      if (this.#next < messages.length) continue;
      this.drop();
      this.afterwards?.();
    }
    return left;
  }

  /** Ends it. */
  drop(): void {
    this.#work = undefined;
    this.#settle?.(this.#last);
  }
}
