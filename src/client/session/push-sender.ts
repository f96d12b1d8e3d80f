import { isEmptyChanges } from '../../protocol/changes.ts';
import { encodeLargePush, encodePushFrame } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Limits } from '../../protocol/messages.ts';
import { utf8Length } from '../../protocol/utf8.ts';
import type { PendingPush, Replica } from '../replica/replica.ts';
import type { SessionEndpoint } from './session-ports.ts';
import type { Stats } from './stats.ts';

/** Until a welcome tells better. */
const DEFAULT_LIMITS: Limits = { framePushBytes: 256 * 1024, pushBytes: 16 * 1024 * 1024 };
/** How many pushes may wait for their ack before more are sent. */
const MOST_IN_FLIGHT = 512;

/** Whose pushes are sent, and in which conversation. */
interface SenderIdentity {
  readonly clientId: string;
  readonly generation: number;
}

/** What a sender needs of its conversation. */
export interface PushSenderOptions {
  readonly replica: Replica;
  readonly endpoint: SessionEndpoint;
  readonly stats: Stats;
  readonly prefix: () => string;
  readonly identity: () => SenderIdentity;
  readonly isDurable: (push: number) => boolean;
  readonly send: (frame: string) => void;
  /** A push went out over the socket. */
  readonly onSent: (push: number) => void;
  /** A push was taken back, because the room does not take it. */
  readonly onWithdrawn: () => void;
  /** A push over HTTP may be lost. */
  readonly onLost: () => void;
  readonly onError: (error: unknown) => void;
}

/** Sends pending pushes, oldest first, each once in a conversation (ONCE-1, ONCE-6). */
export class PushSender {
  readonly #options: PushSenderOptions;
  #limits = DEFAULT_LIMITS;
  /** The highest number sent in this conversation. */
  #sent = 0;
  /** The highest number sent in any: the room may hold it. */
  #everSent = 0;
  /** The push that travels over HTTP, which later ones wait for. */
  #posted: number | undefined;

  constructor(options: PushSenderOptions) {
    this.#options = options;
  }

  /** True if the room may hold one of the pending pushes. */
  get mayHavePending(): boolean {
    return this.#options.replica.pending.some((push) => push.number <= this.#everSent);
  }

  /** A conversation begins, or goes on after the room has told what it has. */
  begin(): void {
    this.#posted = undefined;
    this.#sent = this.#options.replica.nextPush - 1;
  }

  /** What a welcome says the room takes. */
  limit(limits: Limits): void {
    this.#limits = limits;
    this.#options.replica.limitPushes(limits.pushBytes);
  }

  /** The socket is closed: what travels is of no use. */
  stop(): void {
    this.#posted = undefined;
  }

  /** Sets what was ever sent: after a restart, or for another room. */
  restore(everSent: number): void {
    this.#everSent = everSent;
  }

  /** The ack of a push came. */
  answered(push: number): void {
    if (this.#posted === push) this.#posted = undefined;
  }

  /** The room cannot read that push. It and all after it go again, and this time it says nothing (ONCE-8). */
  notUnderstood(push: number): void {
    const { pending } = this.#options.replica;
    const isOurs = pending.some(
      ({ number, changes }) => number === push && !isEmptyChanges(changes),
    );
    if (isOurs && push <= this.#sent) this.#withdraw(push, 'malformed');
  }

  /** Sends what is pending and was not sent yet. */
  flush(): void {
    const { replica, prefix, isDurable, send, onSent } = this.#options;
    const { pending } = replica;
    const first = replica.nextPush;
    while (this.#posted === undefined && this.#sent - first + 1 < MOST_IN_FLIGHT) {
      const push = pending[this.#sent + 1 - first];
      if (push === undefined || !isDurable(push.number)) return;
      const fitsFrame = this.#fitsFrame(push);
      // HTTP may be faster than the socket: what goes before a large push has to be answered before it leaves.
      if (!fitsFrame && push.number !== first) return;
      this.#options.stats.saves++;
      this.#sent = push.number;
      this.#everSent = Math.max(this.#everSent, push.number);
      if (fitsFrame) {
        send(encodePushFrame(prefix(), push.number, push.encoded));
        onSent(push.number);
      } else void this.#post(push);
    }
  }

  #fitsFrame({ encoded }: PendingPush): boolean {
    const { framePushBytes } = this.#limits;
    return utf8Length(encoded, framePushBytes) <= framePushBytes;
  }

  async #post({ number, changes }: PendingPush): Promise<void> {
    const { endpoint, identity, onLost, onError } = this.#options;
    const { clientId, generation } = identity();
    this.#posted = number;
    const push = { type: 'push', number, changes } as const;
    try {
      await endpoint.post(encodeLargePush({ clientId, generation, push }));
    } catch (error) {
      const isCurrent = identity().generation === generation && this.#posted === number;
      const code = error instanceof TinyBasePartyKitError ? error.code : undefined;
      const refusal = code === 'too-large' || code === 'malformed' ? code : undefined;
      if (isCurrent && refusal === undefined) onLost();
      onError(error);
      if (isCurrent && refusal !== undefined) this.#withdraw(number, refusal);
    }
  }

  #withdraw(number: number, reason: 'too-large' | 'malformed'): void {
    const { replica, onWithdrawn } = this.#options;
    this.#posted = undefined;
    this.#sent = number - 1;
    replica.withdraw(number, reason);
    onWithdrawn();
  }
}
