import type PartySocket from 'partysocket';

import { splitFrame } from '../protocol/frame.ts';
import { bytesOf } from './byte-text.ts';
import { describeMessage, readMessage, type Direction, type ReadMessage } from './read-message.ts';

/** A frame that travelled. */
export interface WatchedFrame {
  readonly direction: Direction;
  /** Its messages in a few words. */
  readonly description: string;
  readonly bytes: number;
  readonly at: Date;
  /** The beginning of its text. */
  readonly text: string;
}

/** Frames of one direction, counted. */
export interface FrameCount {
  readonly frames: number;
  readonly bytes: number;
}

/** The answer of the room to the last hello. */
export interface CatchUp {
  readonly bytes: number;
  /** True if the room asked for a load over HTTP instead. */
  readonly isReload: boolean;
}

/** The most frames that are kept. */
export const MOST_FRAMES = 60;
/** The most characters of a frame that are kept. */
const MOST_TEXT = 2_000;
/** The most messages of a frame that its description has. */
const MOST_DESCRIBED = 3;
/** The most pushes whose ack is waited for: one that never comes is forgotten. */
const MOST_PUSHES = 1_000;

const NOTHING: FrameCount = { frames: 0, bytes: 0 };

/**
 * Watches the frames of a PartySocket, from now on. PartySocket tells nobody what is sent, so its method `send` is wrapped
 * until {@link stop}.
 */
export class Traffic {
  readonly #prefix: string;
  readonly #onFrame: (frame: WatchedFrame) => void;
  readonly #now: () => number;
  readonly #pushes = new Map<number, number>();
  #pingedAt: number | undefined;
  #unwatch: () => void;

  /** The newest frames, oldest first. */
  readonly frames: WatchedFrame[] = [];
  sent: FrameCount = NOTHING;
  received: FrameCount = NOTHING;
  /** The room's version, as the last frame told it. */
  version: number | undefined;
  catchUp: CatchUp | undefined;
  /** The time from the last push to its ack, or from the last ping to its answer. */
  roundTripMilliseconds: number | undefined;

  /** `now` gives milliseconds. */
  constructor(
    socket: PartySocket,
    prefix: string,
    now: () => number,
    onFrame: (frame: WatchedFrame) => void,
  ) {
    this.#prefix = prefix;
    this.#now = now;
    this.#onFrame = onFrame;
    const onMessage = ({ data }: { readonly data: unknown }): void => this.#saw('received', data);
    socket.addEventListener('message', onMessage);
    const unwrap = wrapSend(socket, (data) => this.#saw('sent', data));
    this.#unwatch = () => {
      socket.removeEventListener('message', onMessage);
      unwrap();
    };
  }

  /** Watches no more. */
  stop(): void {
    this.#unwatch();
    this.#unwatch = () => undefined;
  }

  #saw(direction: Direction, data: unknown): void {
    const text = typeof data === 'string' ? data : '';
    const bytes = typeof data === 'string' ? bytesOf(data) : binaryLength(data);
    this[direction] = {
      frames: this[direction].frames + 1,
      bytes: this[direction].bytes + bytes,
    };
    const messages = splitFrame(text).map((part) => ({
      message: readMessage(this.#prefix, direction, part),
      length: part.length,
    }));
    for (const { message, length } of messages) {
      // What is alone in its frame was measured already.
      this.#read(direction, message, messages.length === 1 ? bytes : length);
    }
    const described = messages
      .slice(0, MOST_DESCRIBED)
      .map(({ message }) => describeMessage(message));
    const more = messages.length - described.length;
    const frame: WatchedFrame = {
      direction,
      description: [...described, ...(more > 0 ? [`${more} more`] : [])].join(' · '),
      bytes,
      at: new Date(),
      text: text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text,
    };
    this.frames.push(frame);
    if (this.frames.length > MOST_FRAMES) this.frames.shift();
    this.#onFrame(frame);
  }

  #read(direction: Direction, message: ReadMessage, bytes: number): void {
    if (direction === 'sent') {
      if (message.type === 'hello') this.#pushes.clear();
      if (message.type === 'push') {
        this.#pushes.set(message.number, this.#now());
        if (this.#pushes.size > MOST_PUSHES) {
          for (const [oldest] of this.#pushes) {
            this.#pushes.delete(oldest);
            break;
          }
        }
      }
      if (message.type === 'ping') this.#pingedAt = this.#now();
      return;
    }
    switch (message.type) {
      case 'ack': {
        this.version = message.version;
        const sentAt = this.#pushes.get(message.number);
        if (sentAt !== undefined) this.roundTripMilliseconds = this.#now() - sentAt;
        this.#pushes.delete(message.number);
        break;
      }
      case 'welcome':
        this.version = message.version;
        this.catchUp = { bytes, isReload: message.isReload };
        break;
      case 'commit':
        this.version = message.version;
        break;
      case 'pong':
      case 'alive':
        if (message.type === 'pong') this.version = message.version;
        if (this.#pingedAt !== undefined) this.roundTripMilliseconds = this.#now() - this.#pingedAt;
        this.#pingedAt = undefined;
        break;
      default:
    }
  }
}

function wrapSend(socket: PartySocket, onSend: (data: unknown) => void): () => void {
  const hadOwn = Object.hasOwn(socket, 'send');
  // oxlint-disable-next-line typescript/unbound-method -- It is called with its socket.
  const original = socket.send;
  let isWatching = true;
  const watched: PartySocket['send'] = (data) => {
    if (isWatching) onSend(data);
    return original.call(socket, data);
  };
  socket.send = watched;
  return () => {
    isWatching = false;
    // If somebody else has wrapped it since, this stays below, and does nothing.
    if (socket.send !== watched) return;
    if (hadOwn) socket.send = original;
    else Reflect.deleteProperty(socket, 'send');
  };
}

function binaryLength(data: unknown): number {
  if (data instanceof Blob) return data.size;
  return data instanceof ArrayBuffer || ArrayBuffer.isView(data) ? data.byteLength : 0;
}
