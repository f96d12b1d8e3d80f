import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { notGot } from '../../protocol/option-kinds.ts';
import { hearRejection } from './maybe-promise.ts';

/** The number of actions that a room without a Store keeps. */
const MOST_WAITING = 1000;

const FULL_MESSAGE = `The room has no Store yet, and ${MOST_WAITING} broadcasts wait for its initial content. Write to this.store, or give the room its initial content first.`;

/** The part of a room that the queue needs. */
interface AwaitedRoom {
  readonly hasStore: boolean;
  addFeature(feature: { committed(): void }): unknown;
}

/** Keeps actions until a room has its initial content (SEED-7), in memory only. */
export class InitialContentQueue {
  readonly #room: AwaitedRoom;
  readonly #onError: (error: unknown) => void;
  #waiting: (() => unknown)[] = [];
  #isListening = false;

  /** `onError` gets the errors of actions that had to wait, or that are async. */
  constructor(room: AwaitedRoom, onError: (error: unknown) => void) {
    this.#room = room;
    this.#onError = onError;
  }

  /**
   * Runs an action at once if the room has a Store, otherwise as soon as it has one. Throws `overloaded` if too many wait, and
   * `misuse` for what is no function.
   */
  run(action: () => unknown): void {
    const given: unknown = action;
    if (typeof given !== 'function') throw notGot('afterInitialContent', 'function');
    if (this.#waiting.length === 0 && this.#room.hasStore) {
      hearRejection(action(), this.#onError);
      return;
    }
    if (this.#waiting.length >= MOST_WAITING)
      throw new TinyBasePartyKitError('overloaded', FULL_MESSAGE);
    this.#waiting.push(action);
    if (this.#isListening) return;
    this.#isListening = true;
    // Not within the commit: what an action writes is a commit of its own.
    this.#room.addFeature({ committed: () => queueMicrotask(() => this.#runWaiting()) });
  }

  #runWaiting(): void {
    if (!this.#room.hasStore) return;
    const actions = this.#waiting;
    this.#waiting = [];
    for (const action of actions) {
      try {
        hearRejection(action(), this.#onError);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
