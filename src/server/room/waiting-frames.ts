import type { Waiter } from '../history/durability-gate.ts';
import type { HeldLength } from './held-memory.ts';
import type { Peer } from './peer.ts';
import type { RoomSettings } from './room-settings.ts';

/** The frames of one connection whose effects are not written yet (`FLOOD-2`). */
export class WaitingFrames {
  readonly #held: HeldLength<unknown>;
  readonly #settings: Pick<RoomSettings<never, never>, 'limits'>;
  #length = 0;
  /** The number and weight of the messages that the room has begun to handle. */
  #messages = 0;
  #weight = 0;

  constructor(held: HeldLength<unknown>, settings: Pick<RoomSettings<never, never>, 'limits'>) {
    this.#held = held;
    this.#settings = settings;
  }

  /** True if no frame waits. */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Returns true if a frame of that length may wait, too. */
  fits(length: number): boolean {
    return this.#length + length <= this.#settings.limits.waitingLength;
  }

  /** Counts a frame as received. */
  add(length: number): void {
    this.#length += length;
    this.#held.add(length);
  }

  /**
   * Counts a frame as one that waits for storage or hooks. Returns false, and counts nothing, if too many messages of this connection
   * wait for them.
   */
  begin({ messages, length, weight }: ReceivedFrame): boolean {
    const { limits } = this.#settings;
    const waiting = this.#messages;
    // If nothing waits, a frame passes however many messages it has: otherwise its client would never get it through.
    if (waiting > 0 && waiting + messages > limits.waitingMessages) return false;
    if (waiting > 0 && this.#weight + weight > limits.waitingLength) return false;
    this.#messages += messages;
    this.#weight += weight;
    // Decoded, a frame with many ids takes about its weight.
    this.#held.add(weight - length);
    return true;
  }

  /** Counts a frame as waiting no more. */
  remove({ messages, length, weight, isBegun }: ReceivedFrame): void {
    this.#length -= length;
    if (isBegun) {
      this.#messages -= messages;
      this.#weight -= weight;
    }
    this.#held.add(isBegun ? -weight : -length);
  }
}

/** A received frame, until its effects are written. */
export class ReceivedFrame implements Waiter {
  readonly messages: number;
  readonly length: number;
  readonly weight: number;
  readonly #peer: Peer<unknown>;
  #isBegun = false;

  constructor(peer: Peer<unknown>, messages: number, length: number, weight: number) {
    this.#peer = peer;
    this.messages = messages;
    this.length = length;
    this.weight = weight;
  }

  /** True once the room has begun to handle it. */
  get isBegun(): boolean {
    return this.#isBegun;
  }

  /** Begins to handle it. Returns false if too much of its connection waits already. */
  begin(): boolean {
    this.#isBegun = this.#peer.waiting.begin(this);
    return this.#isBegun;
  }

  onReleased(): void {
    this.#peer.forget(this);
  }

  onLost(): void {
    this.#peer.forget(this);
  }
}
