import type { RoomHost } from './room-host.ts';

/** A shorter content is sent whole. In characters. */
const LONGEST_WHOLE = 64 * 1024;
/** The number of bytes that are sent at once, when the other side has read those before. */
const SLICE_BYTES = 64 * 1024;
/** The longest time in which the other side reads nothing. */
const SILENCE_MILLISECONDS = 30_000;

/**
 * The answers with content that are being sent (`LIMIT-6`). All answers with the same content share its bytes, so a reader that does
 * not read costs no more memory.
 */
export class ContentAnswers {
  readonly #host: Pick<RoomHost<never>, 'after'>;
  /** The contents that are being sent, the oldest first. */
  readonly #contents = new Map<string, SentContent>();

  constructor(host: Pick<RoomHost<never>, 'after'>) {
    this.#host = host;
  }

  /**
   * Returns the body of an answer with that content, between a head and a tail. If all contents together are longer than the limit,
   * ends the answers with the oldest ones.
   */
  bodyOf(
    content: string,
    limit: number,
    head = '',
    tail = '',
  ): string | ReadableStream<Uint8Array> {
    if (content.length <= LONGEST_WHOLE) return head + content + tail;
    const sent = this.#contents.get(content) ?? {
      bytes: new TextEncoder().encode(content),
      answers: new Set(),
    };
    this.#contents.set(content, sent);
    const { answers, bytes } = sent;
    const answer = new ContentAnswer([head, tail], bytes, this.#host, () => {
      answers.delete(answer);
      if (answers.size === 0 && this.#contents.get(content) === sent)
        this.#contents.delete(content);
    });
    answers.add(answer);
    this.#endOldest(limit);
    return answer.body;
  }

  #endOldest(limit: number): void {
    let length = 0;
    for (const text of this.#contents.keys()) length += text.length;
    for (const [text, { answers }] of this.#contents) {
      // The latest content may be longer than the limit.
      if (length <= limit || this.#contents.size === 1) return;
      length -= text.length;
      for (const answer of [...answers]) answer.fail();
    }
  }
}

/** A content, and the answers that send it. */
interface SentContent {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly answers: Set<ContentAnswer>;
}

const NOTHING = new Uint8Array();

/** One answer. */
class ContentAnswer {
  readonly body: ReadableStream<Uint8Array>;
  readonly #host: Pick<RoomHost<never>, 'after'>;
  readonly #onEnd: () => void;
  readonly #head: string;
  readonly #tail: string;
  #bytes: Uint8Array;
  #position = 0;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #cancel: (() => void) | undefined;

  constructor(
    [head, tail]: readonly [string, string],
    bytes: Uint8Array,
    host: Pick<RoomHost<never>, 'after'>,
    onEnd: () => void,
  ) {
    this.#head = head;
    this.#tail = tail;
    this.#bytes = bytes;
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
    if (this.#position === 0) enqueueText(controller, this.#head);
    const end = this.#position + SLICE_BYTES;
    controller.enqueue(this.#bytes.subarray(this.#position, end));
    this.#position = end;
    if (end < this.#bytes.length)
      this.#cancel = this.#host.after(SILENCE_MILLISECONDS, () => this.fail());
    else {
      enqueueText(controller, this.#tail);
      this.#end();
      controller.close();
    }
  }

  #end(): void {
    this.#cancel?.();
    this.#controller = undefined;
    this.#bytes = NOTHING;
    this.#onEnd();
  }
}

function enqueueText(controller: ReadableStreamDefaultController<Uint8Array>, text: string): void {
  if (text !== '') controller.enqueue(new TextEncoder().encode(text));
}
