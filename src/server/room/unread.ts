/** After so many characters, the client is asked to say that it has read them; after a part of the limit if that is less. */
const MARK_LENGTH = 256 * 1024;
const MARK_PART = 1 / 4;

/** The length of data sent to a connection that it may not have read: the host holds it in memory (`FLOOD-7`). */
export class Unread {
  #sent = 0;
  #read = 0;
  #mark: { readonly text: string; readonly position: number } | undefined;

  /** In characters. */
  get length(): number {
    return this.#sent - this.#read;
  }

  /** Returns true if it is time for a mark. One at a time is on its way. */
  needsMark(limit: number): boolean {
    return this.#mark === undefined && this.length >= Math.min(MARK_LENGTH, limit * MARK_PART);
  }

  add(length: number): void {
    this.#sent += length;
  }

  /** Remembers what is asked. */
  ask(text: string): void {
    this.#mark = { text, position: this.#sent };
  }

  /** Takes the answer. One to another question counts for nothing. */
  answer(text: string): void {
    if (this.#mark?.text !== text) return;
    this.#read = this.#mark.position;
    this.#mark = undefined;
  }

  /** Everything counts as read: of a peer that no mark can be sent to. */
  clear(): void {
    this.#read = this.#sent;
  }
}
