import { FREE_LENGTH, type HeldLength } from './held-memory.ts';

/** After so many characters, the room asks the client to say that it has read them, by a mark. */
const MARK_LENGTH = 256 * 1024;
/** The part of the limit after which it asks, if that is less. */
const MARK_PART = 1 / 4;

/** The length of data sent to a connection that it may not have read: the host holds it in memory (`FLOOD-7`). */
export class Unread {
  /** True if the connection was told that it does not read, and has not said hello since. */
  isTold = false;
  #sent = 0;
  #read = 0;
  readonly #account: HeldLength<unknown>;
  #mark: { readonly text: string; readonly frame: string; readonly position: number } | undefined;

  constructor(account: HeldLength<unknown>) {
    this.#account = account;
  }

  /** In characters. */
  get length(): number {
    return this.#sent - this.#read;
  }

  /** Returns true if it is time for a mark. Only one is on its way at a time. `isCrowded`: the room holds much for all together. */
  needsMark(limit: number, isCrowded: boolean): boolean {
    const length = isCrowded ? FREE_LENGTH : MARK_LENGTH;
    return this.#mark === undefined && this.length >= Math.min(length, limit * MARK_PART);
  }

  add(length: number): void {
    this.#sent += length;
    this.#account.add(length);
  }

  /** Remembers a mark that is sent. The client answers with the same frame. */
  ask(text: string, frame: string): void {
    this.#mark = { text, frame, position: this.#sent };
  }

  /** Returns true if the frame is the answer to the mark. */
  isAnswer(frame: string): boolean {
    return this.#mark?.frame === frame;
  }

  /** Takes the answer to a mark. The answer to another mark has no effect. */
  answer(text: string): void {
    if (this.#mark?.text !== text) return;
    this.#noteRead(this.#mark.position);
    this.#mark = undefined;
  }

  /** Counts everything as read: no mark can be sent to a stock peer. */
  clear(): void {
    this.#noteRead(this.#sent);
  }

  #noteRead(position: number): void {
    // Everything may have been counted as read meanwhile.
    if (position <= this.#read) return;
    this.#account.add(this.#read - position);
    this.#read = position;
  }
}
