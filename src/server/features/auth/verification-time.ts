import { TinyBasePartyKitError } from '../../../protocol/errors.ts';
import { inTime } from '../../../protocol/in-time.ts';

/** The longest time for the options of `defineAuth` to answer. A request with them may be under way. */
const LONGEST_VERIFICATION_MILLISECONDS = 30_000;

/** Settles as that promise does, or rejects with `unavailable` if that takes too long (`GATE-1`). */
export function inVerificationTime<T>(
  verifying: Promise<T>,
  after: (milliseconds: number, callback: () => void) => () => void,
): Promise<T> {
  return inTime(verifying, LONGEST_VERIFICATION_MILLISECONDS, after, tooLate);
}

function tooLate(): TinyBasePartyKitError {
  const seconds = LONGEST_VERIFICATION_MILLISECONDS / 1_000;
  const message = `The options of defineAuth did not answer within ${seconds} s, so nobody with that token is let in: look at access, user and jwks.`;
  return new TinyBasePartyKitError('unavailable', message);
}
