import { decodePushNumber } from '../../protocol/codec.ts';
import { splitFrame, weightOf } from '../../protocol/frame.ts';
import { letter as helloLetter } from '../../protocol/messages/hello.ts';
import { letter as pushLetter } from '../../protocol/messages/push.ts';
import { letter as partLetter } from '../../protocol/messages/push-part.ts';

import type { RoomPersistence } from '../history/room-persistence.ts';
import type { Admission } from './admission.ts';
import { Dispatcher } from './dispatcher.ts';
import type { MaybePromise } from './maybe-promise.ts';
import type { Peer } from './peer.ts';
import { costOfEach } from './rate-limiter.ts';
import type { RoomParts } from './room-parts.ts';
import { Turns } from './turns.ts';
import type { ReceivedFrame } from './waiting-frames.ts';

/** The memory of a held message in addition to its length, in characters. */
const HOLDING_LENGTH = 512;

/** The part of `heldLength` that may wait for turns. The rest is for other things that the room holds. */
const PART_OF_TURNS = 1 / 4;

/** The messages of a frame that are handled, and the number that the frame counts as. */
interface SplitFrame {
  readonly messages: readonly unknown[];
  readonly count: number;
}

const NO_MESSAGES: SplitFrame = { messages: [], count: 0 };

/** Takes the frames of connections as they arrive: limits them, charges their senders, and gives each connection its turn. */
export class Arrivals<Connection, Request> {
  readonly #parts: RoomParts<Connection, Request>;
  readonly #persistence: RoomPersistence<Connection, Request>;
  readonly #admission: Admission<Connection, Request>;
  readonly #dispatcher: Dispatcher<Connection, Request>;
  readonly #turns: Turns;

  constructor(
    parts: RoomParts<Connection, Request>,
    persistence: RoomPersistence<Connection, Request>,
    admission: Admission<Connection, Request>,
  ) {
    this.#parts = parts;
    this.#persistence = persistence;
    this.#admission = admission;
    this.#dispatcher = new Dispatcher(parts, persistence);
    this.#turns = new Turns(parts.host);
  }

  /** Handles a frame, and ignores frames that are not ours. Resolves when that is done; never rejects. */
  async receive(peer: Peer<Connection>, data: unknown): Promise<void> {
    const { features, delivery } = this.#parts;
    if (peer.hasLeft) return;
    peer.restoreAttachment();
    const text = typeof data === 'string' ? data : '';
    const length = lengthOf(data);
    if (peer.state.type === 'stock') peer.unread.clear();
    const isAsked = peer.unread.isAnswer(text);
    const isFlood = !isAsked && this.#isFlood(peer, length);
    const { messages, count } = isFlood ? NO_MESSAGES : this.#split(data);
    const weigh = (): number => this.#weightOf(text);
    const waiting = isFlood ? undefined : peer.accept(length, count, weigh, isAsked);
    if (waiting === undefined || !delivery.makeSpace(peer, 0)) {
      waiting?.onLost();
      delivery.refuseFlood(peer, this.#isHello(data));
      return;
    }
    const isRefused = features.gate !== undefined && !(await this.#admission.passes(peer));
    if (isRefused || !this.#admission.hasSpaceFor(peer)) {
      waiting.onLost();
      return;
    }
    const frame = features.frameOf(data);
    if (features.needsHeardTimes) peer.heard.keep();
    const isOrdered = frame === undefined || frame.feature.isOrdered === true;
    const handle = (message: unknown): MaybePromise<void> => {
      if (frame === undefined) return this.#dispatcher.take(peer, message);
      if (isOrdered) return this.#dispatcher.takeOrdered(peer, frame);
      if (!peer.isGone) features.receive(peer.connection.socket, frame, !peer.hasLostPush);
      return undefined;
    };
    const begin = (): boolean => this.#begins(peer, waiting, data);
    const cost = costOfEach(waiting.weight, count);
    const { isBusy } = peer.allowance;
    // An answer that the room has asked for does not wait for a turn.
    const handled = isAsked
      ? handle(data)
      : this.#turns.take(peer.line, isBusy, { messages, length, cost, begin, handle });
    if (handled !== undefined) await handled;
    if (!isOrdered) {
      waiting.onReleased();
      return;
    }
    const state = this.#persistence.current;
    if (state === undefined) waiting.onLost();
    else state.durability.defer(waiting);
  }

  /**
   * Counts a message that comes while the room is not ready, so that messages do not fill its memory meanwhile (`LIMIT-5`). Returns
   * the function that ends that; undefined if the message is dropped: its connection has left, or the room holds too much.
   */
  countWaiting(peer: Peer<Connection>, data: unknown): (() => void) | undefined {
    const { delivery } = this.#parts;
    if (peer.hasLeft) return undefined;
    const length = lengthOf(data) + HOLDING_LENGTH;
    if (!delivery.makeSpace(peer, length)) {
      delivery.refuseFlood(peer, this.#isHello(data));
      return undefined;
    }
    // Fixed: closing the connection would not free this memory, because the handler of the host keeps the message.
    peer.held.addFixed(length);
    return () => peer.held.addFixed(-length);
  }

  /** Returns true for a frame that begins as a hello does: its client waits for an answer. */
  #isHello(data: unknown): boolean {
    const { messagePrefix } = this.#parts.settings;
    return typeof data === 'string' && data.startsWith(messagePrefix + helloLetter);
  }

  /** Returns true for a frame that is refused unread. */
  #isFlood(peer: Peer<Connection>, length: number): boolean {
    const { limits } = this.#parts.settings;
    return (
      peer.allowance.isFlooding(length) ||
      this.#turns.isFull(peer.line, limits.heldLength * PART_OF_TURNS)
    );
  }

  /** Begins to handle a frame. Returns false for a frame that is dropped. */
  #begins(peer: Peer<Connection>, waiting: ReceivedFrame, data: unknown): boolean {
    if (peer.isGone) return false;
    const { delivery } = this.#parts;
    if (waiting.begin() && delivery.makeSpace(peer, 0)) return true;
    delivery.overload(peer, undefined, this.#isHello(data));
    return false;
  }

  /**
   * Returns the messages of a frame. A frame that begins with a push may have several: only its pushes are handled (`FRAME-5`), but
   * all its lines count.
   */
  #split(data: unknown): SplitFrame {
    const one = { messages: [data], count: 1 };
    if (typeof data !== 'string' || !data.includes('\n')) return one;
    const { messagePrefix } = this.#parts.settings;
    const start = messagePrefix + pushLetter;
    if (!data.startsWith(start)) return one;
    const lines = splitFrame(data);
    if (lines.length === 1) return one;
    const pushes = lines.filter(
      (text) => text.startsWith(start) && decodePushNumber(messagePrefix, text) !== undefined,
    );
    return { messages: pushes.length === 0 ? [data] : pushes, count: lines.length };
  }

  #weightOf(text: string): number {
    const weight = weightOf(text);
    // In a part, the JSON of the push is a text, whose quotes are counted in another way. Another message may end like a part: so the
    // higher weight counts.
    const isPart =
      text.endsWith('"]') && text.startsWith(this.#parts.settings.messagePrefix + partLetter);
    return isPart ? Math.max(weight, weightOf(text, true)) : weight;
  }
}

/** Returns the length of a frame, in characters, or in bytes if it is binary. */
function lengthOf(data: unknown): number {
  if (typeof data === 'string') return data.length;
  return data instanceof ArrayBuffer || ArrayBuffer.isView(data) ? data.byteLength : 0;
}
