import type { Changes } from '../../protocol/changes.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';

import { describeLost } from './describe-lost.ts';
import type { RoomErrorSource } from './room-options.ts';

/** Tells the app what no client can be told. Never throws. */
export class ErrorReporter {
  readonly #onRoomError: ((error: unknown, where: RoomErrorSource) => void) | undefined;

  constructor(onRoomError: ((error: unknown, where: RoomErrorSource) => void) | undefined) {
    this.#onRoomError = onRoomError;
  }

  report(error: unknown, where: RoomErrorSource): void {
    try {
      this.#onRoomError?.(error, where);
    } catch {
      // Whoever is told of errors and throws has nobody left to tell.
    }
  }

  /** Reports transactions of the room's own code that nobody has any more, in one message without their content. */
  reportLost(cause: unknown, transactions: readonly Changes[]): void {
    if (transactions.length === 0) return;
    const message = `The room lost ${transactions.length} transactions of its own code. Make them again (${describeLost(transactions)}).`;
    this.report(new TinyBasePartyKitError('unavailable', message, { cause }), 'storage');
  }
}
