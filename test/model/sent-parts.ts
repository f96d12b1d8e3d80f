import { decodeWholePush } from '../../src/protocol/codec.ts';
import type { Push, PushPart } from '../../src/protocol/messages.ts';

/** The parts that were sent over a socket, or came over it, of the push that is on its way. */
export class SentParts {
  #text = '';

  /** Returns the push if this part makes it whole, and it can be read. */
  take({ number, offset, length, text }: PushPart): Push | undefined {
    if (offset === 0) this.#text = '';
    if (offset !== this.#text.length) return undefined;
    this.#text += text;
    if (this.#text.length < length) return undefined;
    return decodeWholePush(number, this.#text);
  }
}
