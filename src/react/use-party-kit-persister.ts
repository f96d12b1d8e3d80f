import type PartySocket from 'partysocket';
import { useEffect, useRef, useState, type DependencyList } from 'react';
import type { Store } from 'tinybase';

import { createPartyKitPersister, type PartyKitPersister } from '../client/index.ts';
import { TinyBasePartyKitError } from '../protocol/errors.ts';
import { notGot } from '../protocol/option-kinds.ts';
import { warn } from '../protocol/warn.ts';
import { checkOptions, openPersister } from './open-persister.ts';
import type { PersisterOptions } from './persister-options.ts';
import { reportRefusals } from './report-refusals.ts';
import { useLatest } from './use-latest.ts';

/** So many persisters, one after the other, whose inputs no render has repeated: no render will. */
const MOST_UNREPEATED = 10;

const NEW_MESSAGE =
  'A dependency of usePartyKitPersister is another one in each render, so each render would connect anew. Pass texts and numbers, or keep the object or function with useMemo or useCallback.';

/**
 * Keeps a Store equal to a room while the component is mounted: creates a socket and a persister, starts to load and save, and
 * closes both in the end. Does so again when the Store or one of `dependencies` changes, which has to name everything that
 * `createSocket` uses. Returns the persister of that Store; undefined on a server, in the first render, and in one with another Store. With
 * other dependencies, the last persister is returned until there is the next one.
 *
 * @example
 * ```ts
 * import { PartySocket } from 'partysocket';
 * import type { Store } from 'tinybase';
 * import { usePartyKitPersister, useSync } from 'tinybase-partykit/react';
 *
 * export function useBoard(store: Store, room: string): string {
 *   const createSocket = (): PartySocket => new PartySocket({ host: 'localhost:1999', room });
 *   const persister = usePartyKitPersister(store, createSocket, [room]);
 *   return useSync(persister).phase;
 * }
 * ```
 */
export function usePartyKitPersister(
  store: Store,
  createSocket: () => PartySocket,
  dependencies: DependencyList,
  options: PersisterOptions = {},
): PartyKitPersister | undefined {
  const given: unknown = dependencies;
  if (!Array.isArray(given)) throw notGot('usePartyKitPersister', 'list of dependencies');
  const inputs = [store, ...dependencies];
  const [open, setOpen] = useState<{
    readonly persister: PartyKitPersister;
    readonly inputs: DependencyList;
  }>();
  const latest = useLatest(options);
  const unrepeated = useRef(0);
  useEffect(() => {
    if (open !== undefined && areSame(inputs, open.inputs)) unrepeated.current = 0;
  });
  useEffect(() => {
    unrepeated.current += 1;
    if (unrepeated.current > MOST_UNREPEATED)
      throw new TinyBasePartyKitError('misuse', NEW_MESSAGE);
    const report = (error: unknown): void => (latest.current.onIgnoredError ?? warn)(error);
    checkOptions(latest.current, report);
    const { config, initialContent } = latest.current;
    const { persister: created, close } = openPersister(createSocket, (connection) =>
      createPartyKitPersister(store, connection, config, report),
    );
    setOpen({ persister: created, inputs });
    // Both at once: a room that refuses the first request is not asked again.
    void created.startAutoLoad(initialContent);
    void created.startAutoSave();
    return () => {
      setOpen(undefined);
      reportRefusals(created, report);
      void close();
    };
  }, [latest, ...inputs]);
  // The effect comes after this render: until then, it may be the persister of another Store.
  return open?.persister.getStore() === store ? open.persister : undefined;
}

function areSame(some: DependencyList, others: DependencyList): boolean {
  return some.every((input, index) => Object.is(input, others[index]));
}
