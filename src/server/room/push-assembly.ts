import type { PushPart } from '../../protocol/messages.ts';

import type { HeldLength } from './held-memory.ts';

/** The received parts of one push, only in memory (`PART-1`). */
export class PushAssembly {
  #number = 0;
  #length = 0;
  #text = '';
  readonly #account: HeldLength<unknown> | undefined;

  constructor(account?: HeldLength<unknown>) {
    this.#account = account;
  }

  /** The number of characters that it holds. */
  get held(): number {
    return this.#text.length;
  }

  /** Takes the next part, or the first one of another push. Returns false, and forgets all parts, if it is neither. */
  take({ number, offset, length, text }: PushPart): boolean {
    if (offset === 0) {
      this.#number = number;
      this.#length = length;
      this.#account?.add(-this.#text.length);
      this.#text = '';
    } else if (number !== this.#number || length !== this.#length || offset !== this.#text.length) {
      this.clear();
      return false;
    }
    this.#text += text;
    this.#account?.add(text.length);
    return true;
  }

  /** Returns the JSON of the push, and forgets it, if all parts have come. */
  takeWhole(): string | undefined {
    if (this.#text.length < this.#length) return undefined;
    const whole = this.#text;
    this.clear();
    return whole;
  }

  clear(): void {
    this.#number = 0;
    this.#length = 0;
    this.#account?.add(-this.#text.length);
    this.#text = '';
  }
}
