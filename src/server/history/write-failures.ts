import { isPausing } from '../room/clock.ts';
import type { RoomHost } from '../room/room-host.ts';
import type { RoomParts } from '../room/room-parts.ts';

const FAILING =
  'The storage of this room fails again and again, as a full one does: the room takes a push only now and then, to find out if it works again, and does not report further failures until then. Everybody can read.';
/** A push is tried again so long after the second failure. The pause doubles with each further one. */
const SHORTEST_PAUSE_MILLISECONDS = 1_000;
const LONGEST_PAUSE_MILLISECONDS = 30_000;

/** The parts of a room that {@link WriteFailures} uses. */
interface WriteFailuresParts extends Pick<RoomParts<never, never>, 'reporter'> {
  readonly host: Pick<RoomHost<never>, 'now'>;
}

/** The writes that failed in a row, and the pauses after them (`DURABLE-3`). */
export class WriteFailures {
  readonly #parts: WriteFailuresParts;
  /** The number of writes that failed since the last one that succeeded, and the time of the last of these. */
  #count = 0;
  #lastTime = 0;

  constructor(parts: WriteFailuresParts) {
    this.#parts = parts;
  }

  /** True during a pause after storage has failed again: a push would only make everybody start again. */
  get isPause(): boolean {
    if (this.#count < 2) return false;
    const pause = SHORTEST_PAUSE_MILLISECONDS * 2 ** (this.#count - 2);
    const now = this.#parts.host.now();
    return isPausing(this.#lastTime, Math.min(pause, LONGEST_PAUSE_MILLISECONDS), now);
  }

  /** A write has succeeded. */
  end(): void {
    this.#count = 0;
  }

  /** A write has failed. Tells the app of the first and the second failure in a row. */
  add(error: unknown): void {
    const { host, reporter } = this.#parts;
    this.#count += 1;
    this.#lastTime = host.now();
    if (this.#count > 2) return;
    reporter.report(this.#count === 1 ? error : new Error(FAILING, { cause: error }), 'storage');
  }
}
