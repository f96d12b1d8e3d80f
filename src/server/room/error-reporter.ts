import type { Changes } from '../../protocol/changes.ts';
import { encodeChanges } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';

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

  /** Reports a transaction of the room's own code that nobody has any more. */
  reportLost(cause: unknown, changes: Changes): void {
    const message = `A transaction of the room's own code was lost, make it again: ${encodeChanges(changes)}`;
    this.report(new TinyBasePartyKitError('unavailable', message, { cause }), 'storage');
  }
}
