import { TinyBasePartyKitError } from '../../protocol/errors.ts';

/** Throws `misuse` if the first parameter of a function is not a Store, as in code without types. */
export function assertStore(caller: string, store: unknown): void {
  if (!hasMethods(store, ['addDidFinishTransactionListener']))
    throw missing(caller, 'Store as its first', 'createStore()');
}

/** Throws `misuse` if a parameter of a function is not a PartySocket: another WebSocket cannot reconnect. */
export function assertPartySocket(
  caller: string,
  position: 'first' | 'second',
  connection: unknown,
): void {
  if (!hasMethods(connection, ['dispatchEvent', 'send', 'reconnect']))
    throw missing(caller, `PartySocket as its ${position}`, 'new PartySocket({host, room})');
}

function missing(caller: string, what: string, creation: string): TinyBasePartyKitError {
  const message = `${caller} got no ${what} parameter. Create one first: ${creation}.`;
  return new TinyBasePartyKitError('misuse', message);
}

function hasMethods(object: unknown, names: readonly string[]): boolean {
  return (
    typeof object === 'object' &&
    object !== null &&
    names.every((name) => typeof Reflect.get(object, name) === 'function')
  );
}
