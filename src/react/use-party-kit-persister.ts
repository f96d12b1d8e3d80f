import type PartySocket from 'partysocket';
import { useEffect, useState, type DependencyList } from 'react';
import type { Content, Store } from 'tinybase';

import {
  createPartyKitPersister,
  type PartyKitPersister,
  type PartyKitPersisterConfig,
} from '../client/index.ts';
import { TinyBasePartyKitError } from '../protocol/errors.ts';
import { notGot } from '../protocol/option-kinds.ts';
import { openPersister } from './open-persister.ts';
import { useLatest } from './use-latest.ts';

const ENDED_MESSAGE =
  'The component ended, or changed its room, and some of its edits were refused, or not confirmed in time: the cause lists them.';

/** The options of {@link usePartyKitPersister}. */
export interface PersisterOptions {
  /** The content for a room that has none. */
  readonly initialContent?: Content | (() => Content);
  /** The configuration of the persister. */
  readonly config?: PartyKitPersisterConfig;
  /**
   * Gets the errors from which the persister recovers by itself. `docs/troubleshooting.md` of the package explains each message.
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- As in TinyBase's own persisters, apps narrow it.
  readonly onIgnoredError?: (error: any) => void;
}

/**
 * Keeps a Store equal to a room while the component is mounted: creates a socket and a persister, starts to load and save, and
 * closes both in the end. Does so again when the Store or one of `dependencies` changes, which has to name everything that
 * `createSocket` uses. Returns the persister; undefined on a server, in the first render, and in one with another Store or other
 * dependencies.
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
  useEffect(() => {
    const { config, initialContent } = latest.current;
    const { persister: created, close } = openPersister(createSocket, (connection) =>
      createPartyKitPersister(store, connection, config, (error: unknown) =>
        latest.current.onIgnoredError?.(error),
      ),
    );
    setOpen({ persister: created, inputs });
    // Both at once: a room that refuses the first request is not asked again.
    void created.startAutoLoad(initialContent);
    void created.startAutoSave();
    return () => {
      setOpen(undefined);
      // Listeners of components end with them.
      created.addRefusalListener((_persister, cause) =>
        latest.current.onIgnoredError?.(
          new TinyBasePartyKitError('destroyed', ENDED_MESSAGE, { cause }),
        ),
      );
      void close();
    };
  }, [latest, ...inputs]);
  // The effect comes after this render: until then, the persister is that of another Store or room.
  return open !== undefined && inputs.every((input, index) => Object.is(input, open.inputs[index]))
    ? open.persister
    : undefined;
}
