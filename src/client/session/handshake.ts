import { encodeClientMessage } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Cursor } from '../../protocol/messages.ts';
import type { Outbox } from '../offline/outbox.ts';
import type { Replica } from '../replica/replica.ts';
import type { SessionPorts } from './session-ports.ts';

/** If a room looks like a stock one and has not answered hello in this time, it is one. */
const STOCK_MILLISECONDS = 3000;

/** The time after which a missing answer to hello is reported. A busy room or a slow network may still answer. */
const ANSWER_MILLISECONDS = 10_000;

const UNANSWERED_MESSAGE =
  'The room has not answered hello for 10 seconds. Does messagePrefix match? Does onMessage call super.onMessage?';

/** The hello of a client. It is said once in each generation (JOIN-4). */
export interface Handshake {
  /** Returns the client id: the room knows this client by it. */
  clientId(): string;
  /**
   * Says hello if that was not done yet and the generation is durable (KEEP-2). Returns true if it was said now. `onUnanswered` is
   * for a room that looks like a stock one, and is called if that does not answer. Without it, a missing answer is reported.
   */
  say(generation: number, cursor: Cursor | undefined, onUnanswered?: () => void): boolean;
  /** The answer has come, or the session does not wait for it any more. */
  end(): void;
  /** Takes another client id: a new one, or that of a client that has ended. */
  renew(id?: string): void;
}

/** Creates a handshake. It calls `send` with the frame. */
export function createHandshake(
  { randomId, after }: SessionPorts,
  prefix: string,
  replica: Replica,
  outbox: Outbox,
  send: (frame: string) => void,
  onError: (error: unknown) => void,
): Handshake {
  let clientId = randomId();
  let said: number | undefined;
  let cancelAnswer: (() => void) | undefined;
  const end = (): void => cancelAnswer?.();
  return {
    clientId: () => clientId,
    say: (generation, cursor, onUnanswered) => {
      if (said === generation) return false;
      if (!outbox.isGenerationDurable(generation)) {
        outbox.save();
        return false;
      }
      said = generation;
      end();
      cancelAnswer =
        onUnanswered === undefined
          ? after(ANSWER_MILLISECONDS, () =>
              onError(new TinyBasePartyKitError('network', UNANSWERED_MESSAGE)),
            )
          : after(STOCK_MILLISECONDS, onUnanswered);
      send(
        encodeClientMessage(prefix, {
          type: 'hello',
          clientId,
          generation,
          cursor,
          nextPush: replica.oldestUnanswered,
          ackedPush: outbox.confirmed(),
        }),
      );
      return true;
    },
    end,
    renew: (id = randomId()) => {
      clientId = id;
      said = undefined;
    },
  };
}
