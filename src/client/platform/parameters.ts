import type { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { hasMethods } from '../../protocol/has-methods.ts';
import { notGot } from '../../protocol/option-kinds.ts';

/** Throws `misuse` if the option `offline` is not what this package makes. */
export function assertOffline(caller: string, offline: unknown): void {
  if (offline !== undefined && !hasMethods(offline, ['createOutbox']))
    throw missing(caller, 'Offline as its option offline', 'createIndexedDbOffline()');
}

/** Throws `misuse` if the first parameter of a function is not a Store, as in code without types. */
export function assertStore(caller: string, store: unknown): void {
  if (!hasMethods(store, ['addDidFinishTransactionListener']))
    throw missing(caller, 'Store as its first parameter', 'createStore()');
}

/** Throws `misuse` if a parameter of a function is not a PartySocket: another WebSocket cannot reconnect. */
export function assertPartySocket(
  caller: string,
  position: 'first' | 'second',
  connection: unknown,
): void {
  // A socket that only reconnects does not know its room.
  if (
    !hasMethods(connection, ['reconnect']) ||
    Reflect.get(Object(connection), 'roomUrl') === undefined
  )
    throw missing(
      caller,
      `PartySocket as its ${position} parameter`,
      'new PartySocket({host, room})',
    );
}

/** Throws `misuse` if a parameter of a function does not have these methods, as in code without types. */
export function assertMethods(
  caller: string,
  what: string,
  candidate: unknown,
  names: readonly string[],
): void {
  if (!hasMethods(candidate, names)) throw notGot(caller, what);
}

function missing(caller: string, what: string, creation: string): TinyBasePartyKitError {
  return notGot(caller, `${what}. Create one first: ${creation}`);
}
