import { TinyBasePartyKitError } from '../../protocol/errors.ts';

import { isPausing } from './clock.ts';
import type { RoomHost } from './room-host.ts';
import type { RoomLimits } from './room-options.ts';

/** The longest silence of a body that is being sent. */
const SILENCE_MILLISECONDS = 30_000;
/** The time for which a new body cannot be cut off. */
const GRACE_MILLISECONDS = 1_000;
/** After this time, the bytes that have come count half: so the recent pace decides. */
const HALF_LIFE_MILLISECONDS = 1_000;

/** The number of contents that are decoded at once. A decoded content takes several times the memory of its text. */
const MOST_DECODED = 8;

type BodyLimits = Pick<RoomLimits, 'waitingBodies' | 'waitingBodyBytes'>;

/** The part of a host that bodies need. */
type BodyHost = Pick<RoomHost<never>, 'after' | 'now'>;

/**
 * The bodies of requests that the room holds, from their first byte to the answer (`LIMIT-4`). If it holds as many as it may, the
 * slowest one is cut off: a client that sends nothing, or very little at a time, keeps out nobody.
 */
export class WaitingBodies {
  readonly #host: BodyHost;
  readonly #bodies = new Set<WaitingBody>();
  #decoded = 0;
  /** Each wakes a step that waits until fewer are decoded; the oldest first. */
  readonly #wake: (() => void)[] = [];

  constructor(host: BodyHost) {
    this.#host = host;
  }

  /** Begins to hold a body. Throws `overloaded` if there are too many. */
  enter(limits: BodyLimits): WaitingBody {
    if (this.#bodies.size >= limits.waitingBodies && !this.#cutSlowest()) throw overloaded();
    const body = new WaitingBody(this.#host, {
      hold: (bytes) => this.#hold(body, bytes, limits),
      left: () => this.#bodies.delete(body),
    });
    this.#bodies.add(body);
    return body;
  }

  /** Runs a step that decodes a body. A few run at once, and the others wait (`LIMIT-7`). */
  async decode<T>(step: () => Promise<T>): Promise<T> {
    while (this.#decoded >= MOST_DECODED)
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve);
      });
    this.#decoded += 1;
    try {
      return await step();
    } finally {
      this.#decoded -= 1;
      this.#wake.shift()?.();
    }
  }

  /** Throws `overloaded` if all bodies together are too long. */
  #hold(body: WaitingBody, bytes: number, { waitingBodyBytes }: BodyLimits): void {
    const held = (): number => [...this.#bodies].reduce((sum, { length }) => sum + length, bytes);
    while (held() > waitingBodyBytes) if (!this.#cutSlowest(body)) throw overloaded();
  }

  /** Cuts off the slowest body that is old enough. Returns false if there is none. */
  #cutSlowest(except?: WaitingBody): boolean {
    let slowest: WaitingBody | undefined;
    for (const body of this.#bodies) {
      if (body === except || !body.mayLosePlace) continue;
      if (slowest === undefined || body.pace < slowest.pace) slowest = body;
    }
    slowest?.cut();
    return slowest !== undefined;
  }
}

/** The calls of a body to its {@link WaitingBodies}. */
interface BodyOwner {
  readonly hold: (bytes: number) => void;
  readonly left: () => void;
}

/** A body that a room holds. */
export class WaitingBody {
  readonly #host: BodyHost;
  readonly #owner: BodyOwner;
  readonly #begin: number;
  #length = 0;
  /** The bytes that have come, counted at `#recentTime`. Older bytes count less. */
  #recent = 0;
  #recentTime: number;
  /** Ends the reading of the body with an error; undefined while nobody reads. */
  #stop: ((error: TinyBasePartyKitError) => void) | undefined;

  constructor(host: BodyHost, owner: BodyOwner) {
    this.#host = host;
    this.#owner = owner;
    this.#begin = host.now();
    this.#recentTime = this.#begin;
  }

  /** The bytes that are held. */
  get length(): number {
    return this.#length;
  }

  /** The recent bytes: older ones count less. */
  get pace(): number {
    const passed = Math.max(0, this.#host.now() - this.#recentTime);
    return this.#recent * 2 ** (-passed / HALF_LIFE_MILLISECONDS);
  }

  /** True if it is still coming, and is not new. */
  get mayLosePlace(): boolean {
    const isNew = isPausing(this.#begin, GRACE_MILLISECONDS, this.#host.now());
    return this.#stop !== undefined && !isNew;
  }

  /** Counts bytes that have come. Throws `overloaded` if all bodies together are too long. */
  holdBytes(bytes: number): void {
    this.#owner.hold(bytes);
    this.#length += bytes;
  }

  /** Counts bytes that have come, for the pace alone. */
  noteBytes(bytes: number): void {
    this.#recent = this.pace + bytes;
    this.#recentTime = this.#host.now();
  }

  /** Calls back with an error if the body is silent for too long or is cut off; not after the returned function was called. */
  whileReading(onStopped: (error: TinyBasePartyKitError) => void): () => void {
    const silent = new TinyBasePartyKitError(
      'unavailable',
      'The body stopped coming: send it again.',
    );
    const cancel = this.#host.after(SILENCE_MILLISECONDS, () => onStopped(silent));
    this.#stop = onStopped;
    return () => {
      this.#stop = undefined;
      cancel();
    };
  }

  /** Cuts it off: another one needs the space. */
  cut(): void {
    this.leave();
    const message = 'The body came too slowly, and others needed its space: send it again.';
    this.#stop?.(new TinyBasePartyKitError('overloaded', message));
  }

  /** Holds the body no more. May be called again. */
  leave(): void {
    this.#length = 0;
    this.#owner.left();
  }
}

function overloaded(): TinyBasePartyKitError {
  const message = 'The room takes no more bodies at once: send it again a little later.';
  return new TinyBasePartyKitError('overloaded', message);
}
