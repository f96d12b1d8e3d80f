import { TinyBasePartyKitError } from '../../protocol/errors.ts';

/** Returns the error that stops a socket whose next token was refused as expired, too. */
export function refusedTwice(cause: TinyBasePartyKitError): TinyBasePartyKitError {
  const message = 'The room refused two tokens as expired: check the clock.';
  return new TinyBasePartyKitError('unauthorized', message, { cause });
}
