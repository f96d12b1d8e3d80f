import { encodeClientMessage } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Cursor } from '../../protocol/messages.ts';
import type { RestoredRecords } from '../offline/client-storage.ts';
import type { Outbox } from '../offline/outbox.ts';
import type { Replica } from '../replica/replica.ts';
import type { SessionPorts } from './session-ports.ts';

/** How long a hello may go without an answer before that is told. A busy room, or a slow network, may still answer it. */
const ANSWER_MILLISECONDS = 10_000;

/** What a greeting needs of its conversation. */
export interface GreetingOptions {
  readonly ports: SessionPorts;
  readonly prefix: () => string;
  readonly replica: Replica;
  readonly outbox: Outbox;
  readonly send: (frame: string) => void;
  readonly onError: (error: unknown) => void;
}

/** Who this client is, and how it says so: with a higher generation each time (JOIN-4). */
export class Greeting {
  readonly #options: GreetingOptions;
  #clientId: string;
  #generation: number;
  #isSaid = false;
  #cancelAnswer: (() => void) | undefined;

  constructor(options: GreetingOptions) {
    this.#options = options;
    const { restored, randomId, firstGeneration } = options.ports;
    this.#clientId = restored?.outbox?.clientId ?? randomId();
    this.#generation = firstGeneration ?? 0;
  }

  /** As whom the room knows this client. */
  get identity(): { readonly clientId: string; readonly generation: number } {
    return { clientId: this.#clientId, generation: this.#generation };
  }

  /** Goes on where a client stopped (KEEP-1). */
  restore({ outbox }: RestoredRecords): void {
    this.#generation = outbox?.generation ?? this.#generation;
  }

  /** Becomes another client. */
  renew(): void {
    this.#clientId = this.#options.ports.randomId();
    this.#generation = this.#options.ports.firstGeneration ?? 0;
  }

  /** Another hello is to be said. */
  begin(): void {
    this.end();
    this.#generation++;
    this.#isSaid = false;
  }

  /** Says hello once, not before its generation is durable (KEEP-2). True if it was said just now. */
  say(cursor: Cursor | undefined): boolean {
    const { ports, prefix, replica, outbox, send } = this.#options;
    if (this.#isSaid || !outbox.isGenerationDurable(this.#generation)) return false;
    this.#isSaid = true;
    this.#cancelAnswer = ports.after(ANSWER_MILLISECONDS, () => this.#unanswered());
    send(
      encodeClientMessage(prefix(), {
        type: 'hello',
        ...this.identity,
        cursor,
        nextPush: replica.nextPush,
        ackedPush: outbox.confirmed,
      }),
    );
    return true;
  }

  /** The answer has come, or is not waited for any more. */
  end(): void {
    this.#cancelAnswer?.();
    this.#cancelAnswer = undefined;
  }

  #unanswered(): void {
    const message =
      'The room has not answered hello for 10 seconds. Does messagePrefix match the server, and does a room class that overrides onMessage call super.onMessage?';
    this.#options.onError(new TinyBasePartyKitError('network', message));
  }
}
