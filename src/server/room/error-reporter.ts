import type { Changes } from '../../protocol/changes.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';

import { describeLost } from './describe-lost.ts';
import type { RoomErrorSource, RoomOptions } from './room-options.ts';

/** Reports errors to the app that no client can get. Never throws. */
export class ErrorReporter {
  readonly #options: Pick<RoomOptions<unknown, unknown>, 'onRoomError'>;

  constructor(options: Pick<RoomOptions<unknown, unknown>, 'onRoomError'>) {
    this.#options = options;
  }

  report(error: unknown, where: RoomErrorSource): void {
    try {
      this.#options.onRoomError?.(error, where);
    } catch {
      // The app's error handler itself threw, so there is nobody to report to.
    }
  }

  /** Reports transactions of the room's own code that were lost, in one message without their content. */
  reportLost(cause: unknown, transactions: readonly Changes[]): void {
    if (transactions.length === 0) return;
    const message = `The room lost ${transactions.length} transactions of its own code. Make them again (${describeLost(transactions)}).`;
    this.report(new TinyBasePartyKitError('unavailable', message, { cause }), 'storage');
  }
}
