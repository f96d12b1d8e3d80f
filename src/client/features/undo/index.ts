/**
 * Undo and redo of one's own edits.
 *
 * @module
 */
import type { OptionalSchemas } from 'tinybase/with-schemas';

import { TinyBasePartyKitError } from '../../../protocol/errors.ts';
import type { PartyKitPersister } from '../../partykit-persister.ts';
import { REPLICA, type EditObserver } from '../../replica/edit-observer.ts';
import type { Replica } from '../../replica/replica.ts';
import type { PartyKitPersister as PartyKitPersisterWithSchemas } from '../../with-schemas.ts';
import { observeForUndo, type UndoObserver } from './undo-observer.ts';
import type { Undo, UndoOptions, UndoWithSchemas } from './undo.ts';

export type { Undo, UndoMethods, UndoOptions, UndoWithSchemas } from './undo.ts';
export { TinyBasePartyKitError, type ErrorCode } from '../../../protocol/errors.ts';

const PERSISTER_MESSAGE =
  'createUndo got no persister as its first parameter. Create one first: createPartyKitPersister(store, socket), of this package.';

/**
 * Creates the undo and redo of the edits that are made in the Store of a persister. It takes back these edits alone, and
 * nothing that others do. A second call for the same persister returns the same object, with the first options.
 *
 * @example
 * ```ts
 * import { PartySocket } from 'partysocket';
 * import { createStore } from 'tinybase';
 * import { createPartyKitPersister } from 'tinybase-partykit/client';
 * import { createUndo } from 'tinybase-partykit/client/undo';
 *
 * const store = createStore();
 * const socket = new PartySocket({ host: location.host, room: 'my-board' });
 * const undo = createUndo(createPartyKitPersister(store, socket));
 * store.setCell('notes', 'first', 'text', 'Hello');
 * undo.goBackward();
 * undo.goForward();
 * ```
 */
export function createUndo(persister: PartyKitPersister, options?: UndoOptions): Undo;
export function createUndo<Schemas extends OptionalSchemas>(
  persister: PartyKitPersisterWithSchemas<Schemas>,
  options?: UndoOptions,
): UndoWithSchemas<Schemas>;
export function createUndo(persister: unknown, options?: UndoOptions): unknown {
  const replica: unknown = isObject(persister) ? Reflect.get(persister, REPLICA) : undefined;
  if (!isReplica(replica)) throw new TinyBasePartyKitError('misuse', PERSISTER_MESSAGE);
  const { observer } = replica;
  return (isUndoObserver(observer) ? observer : observeForUndo(replica, Date.now, options)).undo;
}

function isObject(candidate: unknown): candidate is object {
  return typeof candidate === 'object' && candidate !== null;
}

/** Only this package knows the symbol. */
function isReplica(found: unknown): found is Replica {
  return isObject(found);
}

function isUndoObserver(observer: EditObserver | undefined): observer is UndoObserver {
  return observer !== undefined && 'undo' in observer;
}
