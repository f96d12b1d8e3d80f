import { TinyBasePartyKitError } from '../../protocol/errors.ts';

import type { RoomHost } from './room-host.ts';
import type { RoomLimits } from './room-options.ts';

/** The longest silence of a body that is being sent. */
const SILENCE_MILLISECONDS = 30_000;

/** The bodies of requests that the room holds, from their first byte to the answer (`LIMIT-4`). */
export class WaitingBodies {
  readonly #host: Pick<RoomHost<never>, 'after'>;
  #count = 0;
  #bytes = 0;

  constructor(host: Pick<RoomHost<never>, 'after'>) {
    this.#host = host;
  }

  /** Begins to hold a body. Throws `overloaded` if there are too many. */
  enter(limits: Pick<RoomLimits, 'waitingBodies' | 'waitingBodyBytes'>): WaitingBody {
    if (this.#count >= limits.waitingBodies) throw overloaded();
    this.#count += 1;
    let held = 0;
    return {
      holdBytes: (bytes) => {
        if (this.#bytes + bytes > limits.waitingBodyBytes) throw overloaded();
        this.#bytes += bytes;
        held += bytes;
      },
      startSilence: (onSilence) => this.#host.after(SILENCE_MILLISECONDS, onSilence),
      leave: () => {
        this.#count -= 1;
        this.#bytes -= held;
      },
    };
  }
}

/** A body that a room holds. */
export interface WaitingBody {
  /** Counts bytes that have come. Throws `overloaded` if all bodies together are too long. */
  readonly holdBytes: (bytes: number) => void;
  /** Calls back when the body was silent for too long, unless the returned function is called before. */
  readonly startSilence: (onSilence: () => void) => () => void;
  /** Ends the holding. Call it once. */
  readonly leave: () => void;
}

function overloaded(): TinyBasePartyKitError {
  const message = 'The room takes no more bodies at once: send it again a little later.';
  return new TinyBasePartyKitError('overloaded', message);
}
