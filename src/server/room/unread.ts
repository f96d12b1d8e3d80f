import { FREE_LENGTH, type HeldLength } from './held-memory.ts';

/** After so many characters, the client is asked to say that it has read them; after a part of the limit if that is less. */
const MARK_LENGTH = 256 * 1024;
const MARK_PART = 1 / 4;

/** The length of data sent to a connection that it may not have read: the host holds it in memory (`FLOOD-7`). */
export class Unread {
  /** True if the connection was told that it has not read, and has said no hello since. */
  isTold = false;
  #sent = 0;
  #read = 0;
  readonly #account: HeldLength<unknown> | undefined;
  #mark: { readonly text: string; readonly frame: string; readonly position: number } | undefined;

  constructor(account?: HeldLength<unknown>) {
    this.#account = account;
  }

  /** In characters. */
  get length(): number {
    return this.#sent - this.#read;
  }

  /** Returns true if it is time for a mark. One at a time is on its way. `isCrowded`: the room holds much for all together. */
  needsMark(limit: number, isCrowded = false): boolean {
    const length = isCrowded ? FREE_LENGTH : MARK_LENGTH;
    return this.#mark === undefined && this.length >= Math.min(length, limit * MARK_PART);
  }

  add(length: number): void {
    this.#sent += length;
    this.#account?.add(length);
  }

  /** Remembers what is asked. The client answers with the same frame. */
  ask(text: string, frame: string): void {
    this.#mark = { text, frame, position: this.#sent };
  }

  /** Returns true if the frame is the answer to what was asked. */
  isAnswer(frame: string): boolean {
    return this.#mark?.frame === frame;
  }

  /** Takes the answer. One to another question counts for nothing. */
  answer(text: string): void {
    if (this.#mark?.text !== text) return;
    this.#noteRead(this.#mark.position);
    this.#mark = undefined;
  }

  /** Everything counts as read: of a peer that no mark can be sent to. */
  clear(): void {
    this.#noteRead(this.#sent);
  }

  #noteRead(position: number): void {
    // Everything may have been counted as read meanwhile.
    if (position <= this.#read) return;
    this.#account?.add(this.#read - position);
    this.#read = position;
  }
}
