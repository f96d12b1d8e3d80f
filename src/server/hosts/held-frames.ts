import { ERRORS } from '../../protocol/errors.ts';

/** The outgoing side of a socket. No method throws. */
export interface SocketOutput {
  send(frame: string): void;
  close(code: number, reason: string): void;
  /** Called when a close begins to wait. */
  onCloseHeld(): void;
}

/** The part of the surroundings that {@link HeldFrames} uses. */
export interface HeldFramesOptions {
  /** Calls back once, later; returns a function that prevents it. */
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  /** Called when frames have been held for 5 s. */
  readonly onLongHold?: (() => void) | undefined;
}

/** The frames of one socket that wait. */
interface Held {
  frames: string[];
  /** Closes the socket after the frames; undefined if the room has not closed it. */
  close: (() => void) | undefined;
}

const LONG_HOLD_MILLISECONDS = 5_000;
/** The reason of a close after something was undone. */
const UNDONE = 'unavailable';

/**
 * The frames that wait while a transaction of the app's storage is open: they tell of what may still be undone (`DURABLE-6`).
 * The closes of sockets wait, too, and so does everybody who has called {@link HeldFrames.whenReleased}.
 */
export class HeldFrames {
  readonly #options: HeldFramesOptions;
  /** Undefined while nothing has to wait. */
  #held: Map<SocketOutput, Held> | undefined;
  #waiting: ((isKept: boolean) => void)[] = [];
  #cancelReport: (() => void) | undefined;

  constructor(options: HeldFramesOptions) {
    this.#options = options;
  }

  /** Sends a frame, at once or at {@link HeldFrames.release}. */
  send(output: SocketOutput, frame: string): void {
    if (this.#held === undefined) {
      output.send(frame);
      return;
    }
    const held = heldOf(this.#held, output);
    if (held.close === undefined) held.frames.push(frame);
  }

  /** Closes a socket, at once or at {@link HeldFrames.release}. Frames that follow are dropped. */
  close(output: SocketOutput, code: number, reason: string): void {
    if (this.#held === undefined) {
      output.close(code, reason);
      return;
    }
    output.onCloseHeld();
    heldOf(this.#held, output).close ??= () => output.close(code, reason);
  }

  /** Holds all frames and closes until {@link HeldFrames.release}. */
  hold(): void {
    if (this.#held !== undefined) return;
    this.#held = new Map();
    const { after, onLongHold } = this.#options;
    this.#cancelReport = after(LONG_HOLD_MILLISECONDS, () => onLongHold?.());
  }

  /** Sends the frames that were held, and closes the sockets that the room has closed meanwhile. */
  release(): void {
    const all = this.#held ?? [];
    this.#held = undefined;
    this.#cancelReport?.();
    for (const [output, { frames, close }] of all) {
      for (const frame of frames) output.send(frame);
      close?.();
    }
    this.#endWaiting(true);
  }

  /**
   * Drops the frames that were held until now, because the changes that they tell of were undone, and closes their sockets at
   * {@link HeldFrames.release}: other frames may have been among them. The clients connect again.
   */
  drop(): void {
    this.#endWaiting(false);
    for (const [output, held] of this.#held ?? []) {
      if (held.frames.length === 0) continue;
      held.frames = [];
      this.close(output, ERRORS.unavailable.closeCode, UNDONE);
    }
  }

  /** Resolves to true when nothing is held any more, and to false as soon as frames are dropped. */
  whenReleased(): Promise<boolean> {
    if (this.#held === undefined) return Promise.resolve(true);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #endWaiting(isKept: boolean): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const end of waiting) end(isKept);
  }
}

function heldOf(all: Map<SocketOutput, Held>, output: SocketOutput): Held {
  let held = all.get(output);
  if (held === undefined) all.set(output, (held = { frames: [], close: undefined }));
  return held;
}
