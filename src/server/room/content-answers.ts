import type { RoomHost } from './room-host.ts';

/** A shorter content is sent whole. In characters. */
const LONGEST_WHOLE = 64 * 1024;
/** So many characters are encoded at once, when the other side has read those before. */
const SLICE_LENGTH = 64 * 1024;
/** The longest time in which the other side reads nothing. */
const SILENCE_MILLISECONDS = 30_000;

/**
 * The answers with content that are being sent (`LIMIT-6`). All answers with one version hold one text, and of that encode only
 * what is being read: who does not read holds nothing more.
 */
export class ContentAnswers {
  readonly #host: Pick<RoomHost<never>, 'after'>;
  /** The texts that are being sent, the oldest first. */
  readonly #texts = new Map<string, SentText>();

  constructor(host: Pick<RoomHost<never>, 'after'>) {
    this.#host = host;
  }

  /** Returns the body of an answer with that text. Ends those with the oldest texts, if all texts are longer than the limit. */
  bodyOf(text: string, limit: number): string | ReadableStream<Uint8Array> {
    if (text.length <= LONGEST_WHOLE) return text;
    const sent = this.#texts.get(text) ?? { text, answers: new Set() };
    this.#texts.set(text, sent);
    const { answers } = sent;
    // Of equal texts, one is held.
    const answer = new ContentAnswer(sent.text, this.#host, () => {
      answers.delete(answer);
      if (answers.size === 0 && this.#texts.get(text) === sent) this.#texts.delete(text);
    });
    answers.add(answer);
    this.#endOldest(limit);
    return answer.body;
  }

  #endOldest(limit: number): void {
    let length = 0;
    for (const text of this.#texts.keys()) length += text.length;
    for (const [text, { answers }] of this.#texts) {
      // The latest text may be longer than the limit.
      if (length <= limit || this.#texts.size === 1) return;
      length -= text.length;
      for (const answer of [...answers]) answer.fail();
    }
  }
}

/** A text, and the answers that send it. */
interface SentText {
  readonly text: string;
  readonly answers: Set<ContentAnswer>;
}

/** One answer. */
class ContentAnswer {
  readonly body: ReadableStream<Uint8Array>;
  readonly #host: Pick<RoomHost<never>, 'after'>;
  readonly #onEnd: () => void;
  #text: string;
  #position = 0;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #cancel: (() => void) | undefined;

  constructor(text: string, host: Pick<RoomHost<never>, 'after'>, onEnd: () => void) {
    this.#text = text;
    this.#host = host;
    this.#onEnd = onEnd;
    this.body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller;
      },
      pull: (controller) => this.#send(controller),
      cancel: () => this.#end(),
    });
  }

  /** Ends the answer with an error: the other side loads again. */
  fail(): void {
    const controller = this.#controller;
    this.#end();
    controller?.error(
      new Error('The content was not read for too long, or a newer one is loaded.'),
    );
  }

  #send(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#cancel?.();
    const slice = sliceOf(this.#text, this.#position);
    this.#position += slice.length;
    controller.enqueue(new TextEncoder().encode(slice));
    if (this.#position < this.#text.length)
      this.#cancel = this.#host.after(SILENCE_MILLISECONDS, () => this.fail());
    else {
      this.#end();
      controller.close();
    }
  }

  #end(): void {
    this.#cancel?.();
    this.#controller = undefined;
    this.#text = '';
    this.#onEnd();
  }
}

/** Returns the next part of a text. It divides no pair of surrogates: each of the two would be encoded as U+FFFD. */
function sliceOf(text: string, position: number): string {
  const end = position + SLICE_LENGTH;
  const last = text.charCodeAt(end - 1);
  return text.slice(position, last >= 0xd800 && last <= 0xdbff ? end + 1 : end);
}
