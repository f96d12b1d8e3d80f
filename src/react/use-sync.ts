import { useCallback, useSyncExternalStore } from 'react';

import type { Id } from 'tinybase';

import type { Sync } from '../client/index.ts';
import { assertPersister } from './parameters.ts';

/** The state before there is a persister, and on a server. */
const IDLE: Sync = Object.freeze({
  phase: 'idle',
  unsaved: 0,
  localOnly: 0,
  code: undefined,
  error: undefined,
});

/** The state of a persister that is started, and waits until the one before has said its farewell. */
const WAITING: Sync = Object.freeze({ ...IDLE, phase: 'loading' });

/** TinyBase's `Status.Loading`, of an ambient const enum that cannot be named here. */
const LOADING = 1;

/** The part of a persister that {@link useSync} uses. */
export interface PersisterWithSync {
  getSync(): Sync;
  getStatus(): number;
  addSyncListener(listener: () => void): Id;
  addStatusListener(listener: () => void): Id;
  delListener(listenerId: Id): unknown;
}

/** Returns the state of a persister's connection to its room, and renders again when it changes. */
export function useSync(persister: PersisterWithSync | undefined): Sync {
  assertPersister('useSync', persister, 'getSync');
  const subscribe = useCallback(
    (onChange: () => void) => {
      if (persister === undefined) return () => undefined;
      const listenerIds = [
        persister.addSyncListener(onChange),
        persister.addStatusListener(onChange),
      ];
      return () => {
        for (const listenerId of listenerIds) persister.delListener(listenerId);
      };
    },
    [persister],
  );
  return useSyncExternalStore(
    subscribe,
    () => (persister === undefined ? IDLE : syncOf(persister)),
    () => IDLE,
  );
}

function syncOf(persister: PersisterWithSync): Sync {
  const sync = persister.getSync();
  return sync.phase === 'idle' && persister.getStatus() === LOADING ? WAITING : sync;
}
