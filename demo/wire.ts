import { PartySocket } from 'partysocket';

/** The news that a {@link WatchedSocket} tells. */
export type WireNews =
  /** The room has put a transaction in order. Its bytes are those that travelled, to or from this client. */
  | {
      readonly type: 'commit';
      readonly version: number;
      readonly bytes: number;
      readonly isOwn: boolean;
    }
  /** The room has answered a new connection with all changes since the version that the client had. */
  | { readonly type: 'catch-up'; readonly version: number; readonly bytes: number }
  /** An edit was confirmed so long after it was sent. */
  | { readonly type: 'round-trip'; readonly milliseconds: number };

interface SentPush {
  readonly bytes: number;
  readonly at: number;
}

/**
 * A PartySocket that tells what its frames are and how long they are. An app needs no such thing: the page has it to show
 * what travels. The letters are explained in docs/protocol.md.
 */
export class WatchedSocket extends PartySocket {
  readonly #pushes = new Map<number, SentPush>();
  readonly #listeners: ((news: WireNews) => void)[] = [];

  /** The bytes of the last catch-up; 0 before the first one. */
  catchUpBytes = 0;

  constructor(options: ConstructorParameters<typeof PartySocket>[0]) {
    super(options);
    this.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') data.split('\n').forEach((message) => this.#received(message));
    });
  }

  override send(data: Parameters<PartySocket['send']>[0]): boolean {
    if (typeof data === 'string') data.split('\n').forEach((message) => this.#sent(message));
    return super.send(data);
  }

  addNewsListener(listener: (news: WireNews) => void): void {
    this.#listeners.push(listener);
  }

  #sent(message: string): void {
    const [, number] = /^p\[(\d+),/.exec(message) ?? [];
    if (number !== undefined)
      this.#pushes.set(Number(number), { bytes: bytesOf(message), at: performance.now() });
  }

  #received(message: string): void {
    const bytes = bytesOf(message);
    const [, commit] = /^c\[(\d+),/.exec(message) ?? [];
    if (commit !== undefined)
      this.#tell({ type: 'commit', version: Number(commit), bytes, isOwn: false });

    const [, number, version, isCommit] = /^a\[(\d+),(\d+),([01])/.exec(message) ?? [];
    const push = this.#pushes.get(Number(number));
    this.#pushes.delete(Number(number));
    if (push !== undefined) {
      this.#tell({ type: 'round-trip', milliseconds: performance.now() - push.at });
      if (isCommit === '1')
        this.#tell({ type: 'commit', version: Number(version), bytes: push.bytes, isOwn: true });
    }

    const [, caughtUp] = /^w\{.*?"cursor":\["[^"]*",(\d+)/.exec(message) ?? [];
    if (caughtUp !== undefined) {
      this.catchUpBytes = bytes;
      this.#tell({ type: 'catch-up', version: Number(caughtUp), bytes });
    }
  }

  #tell(news: WireNews): void {
    for (const listener of this.#listeners) listener(news);
  }
}

const encoder = new TextEncoder();

/** Returns the length of a text as it travels. */
export function bytesOf(text: string): number {
  return encoder.encode(text).length;
}

/** Returns a number of bytes as people read it. */
export function byteText(bytes: number): string {
  return bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`;
}
