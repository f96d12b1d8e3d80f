import type PartySocket from 'partysocket';
import type { Content, Id, Store } from 'tinybase';
import type { Persister, Status } from 'tinybase/persisters';

import { TinyBasePartyKitError } from '../protocol/errors.ts';
import { randomId } from '../protocol/random-id.ts';
import { IgnoredErrors } from './ignored-errors.ts';
import { assertOptions, type OptionKind } from '../protocol/option-kinds.ts';
import { tellUnknownOptions } from './check-options.ts';
import { PersisterSchedule } from './persister-schedule.ts';
import { PersisterStatus } from './persister-status.ts';
import { createHttpEndpoint } from './content/http-endpoint.ts';
import { readInitialContent } from './content/initial-content.ts';
import { createListeners } from './session/listeners.ts';
import { watchNetwork } from './platform/network-changes.ts';
import { callAfter } from './platform/call-after.ts';
import { attachToPartySocket } from './platform/channel.ts';
import { assertOffline, assertPartySocket, assertStore } from './platform/parameters.ts';
import type { InitialContent } from './content/seed.ts';
import type { Offline } from './offline/offline.ts';
import { REPLICA } from './replica/edit-observer.ts';
import type { Refusal } from './replica/refusal.ts';
import { readClosing } from './platform/socket-closing.ts';
import { queryOf, storeUrlOf } from './platform/store-url.ts';
import { StoreTurn } from './replica/store-turn.ts';
import { createSyncSession } from './session/sync-session.ts';
import type { Sync } from './session/sync-status.ts';

/** The configuration of a persister. An option that is left out has the default of the server. */
export interface PartyKitPersisterConfig {
  /** The protocol of requests. By default `https` for a `wss` socket and `http` for `ws`. */
  storeProtocol?: 'http' | 'https';
  /** The `storePath` of the server; `'/store'` by default. */
  storePath?: string;
  /** The `messagePrefix` of the server; `''` by default. */
  messagePrefix?: string;
  /** Makes the requests for the content. By default the platform's `fetch`. */
  fetch?: typeof fetch;
  /** As of `fetch`: `'include'` sends the cookies of another origin, which the socket sends anyway. */
  credentials?: RequestCredentials;
  /** Keeps content and edits on this device: see `tinybase-partykit/client/offline`. */
  offline?: Offline;
}

/** Called when the state of a persister's connection to its room changes. */
export type SyncListener = (persister: PartyKitPersister, sync: Sync) => void;

/** Called when edits, or leaves of the room, were refused. Gets their values. */
export type RefusalListener = (persister: PartyKitPersister, refusals: readonly Refusal[]) => void;

/** A TinyBase Persister that keeps a Store equal to a room's, with the user's unconfirmed edits on top. */
export interface PartyKitPersister extends Persister {
  /** The PartySocket that the Store is persisted to. */
  getConnection(): PartySocket;
  /** Returns the state of the connection to the room. */
  getSync(): Sync;
  /** Adds a listener for changes of {@link getSync}; remove it with `delListener`. */
  addSyncListener(listener: SyncListener): Id;
  /** Adds a listener for refusals; remove it with `delListener`. */
  addRefusalListener(listener: RefusalListener): Id;
  /**
   * Resolves when the room has confirmed every edit made so far: they survive a crash of the room. Rejects with a
   * `TinyBasePartyKitError` if the phase is or becomes `'stopped'`.
   */
  whenConfirmed(): Promise<void>;
  /** Shows the room's content in place of leaves that are local-only: refused by this Store's schema, or too large. */
  discardLocal(): this;
}

/** Every option; the compiler complains if one is missing. */
const OPTIONS: Readonly<Record<keyof PartyKitPersisterConfig, OptionKind>> = {
  storeProtocol: 'http or https',
  storePath: 'string',
  messagePrefix: 'string',
  fetch: 'function',
  credentials: 'omit or same-origin or include',
  offline: '',
};

const CALLER = 'createPartyKitPersister';

const CONTENT_MESSAGE = 'The initial content is not [tables, values].';

const PARAMETERS = { onIgnoredError: 'function' };

/** The time for which `destroy` waits until the room has confirmed what was sent. */
const FAREWELL_MILLISECONDS = 2000;

/**
 * Creates a persister between a Store and the room that a PartySocket is connected to. It can replace TinyBase's function
 * of the same name.
 *
 * `onIgnoredError`, by default `console.warn`, gets the errors from which the persister recovers by itself, as
 * `TinyBasePartyKitError`. A later persister on the same socket, with the same `messagePrefix`, stops this one:
 * `onIgnoredError` gets the error `replaced`, then and whenever the app starts it again. `docs/troubleshooting.md` of the package
 * explains each message.
 *
 * Source: https://tinybase.org/api/persister-partykit-client/functions/creation/createpartykitpersister/
 */
export function createPartyKitPersister(
  store: Store,
  connection: PartySocket,
  configOrStoreProtocol?: PartyKitPersisterConfig | 'http' | 'https',
  // oxlint-disable-next-line typescript/no-explicit-any -- Apps that were written for TinyBase's own narrow it.
  onIgnoredError?: (error: any) => void,
): PartyKitPersister {
  assertStore(CALLER, store);
  assertPartySocket(CALLER, 'second', connection);
  // Often from a variable. PartySocket would try to connect for ever.
  if (/\s/.test(connection.host))
    throw new TinyBasePartyKitError(
      'misuse',
      `The host of the PartySocket has a space: ${JSON.stringify(connection.host)}.`,
    );
  const config: PartyKitPersisterConfig =
    typeof configOrStoreProtocol === 'string'
      ? { storeProtocol: configOrStoreProtocol }
      : configOrStoreProtocol || {};
  assertOptions(CALLER, { onIgnoredError: onIgnoredError ?? undefined }, PARAMETERS);
  assertOptions(CALLER, config, OPTIONS);
  const { storeProtocol, storePath = '/store', messagePrefix = '', offline } = config;
  assertOffline(CALLER, offline);
  const ignored = new IgnoredErrors(onIgnoredError);
  const ignore = (error: unknown): void => ignored.tell(error);
  tellUnknownOptions(CALLER, config, OPTIONS, ignore);
  const seedOf = (content: Content | (() => Content) | undefined): InitialContent | undefined =>
    content
      ? () => {
          try {
            const given: unknown = typeof content === 'function' ? content() : content;
            // An async function gives a promise, for example.
            if (!Array.isArray(given ?? []))
              throw new TinyBasePartyKitError('misuse', CONTENT_MESSAGE);
            return readInitialContent(given);
          } catch (error) {
            ignore(error);
            return undefined;
          }
        }
      : undefined;
  const listeners = createListeners<{
    status: [PartyKitPersister, Status];
    sync: [PartyKitPersister, Sync];
    refusal: [PartyKitPersister, readonly Refusal[]];
  }>({ status: new Map(), sync: new Map(), refusal: new Map() }, ignore);
  const status = new PersisterStatus((told) => listeners.call('status', persister, told));
  const schedule = new PersisterSchedule();
  let destroying: Promise<void> | undefined;
  /** Changes with each stop: a start that runs then goes no further. */
  let stops = 0;
  /** The query of the room that the session is in. */
  let query = queryOf(connection);

  const { socket, detach, lastClose } = attachToPartySocket(
    connection,
    messagePrefix,
    {
      onOpen: () => {
        query = queryOf(connection);
        session.opened();
      },
      onClose: () => session.closed(),
      onMessage: (frame) => session.received(frame),
      onOthersSend: () => session.sendNow(),
      onQueried: (error) => session.queried(error === undefined, error),
      onStopped: (error) => session.stopped(error),
      // The newer one is about to use this socket, and perhaps this Store, so this one does not wait.
      onTakenOver: (newerStore) => {
        end();
        // Not reported on the same Store: nothing is lost (OFFLINE-1). React, for example, mounts a component twice. Nor if the app ends this one.
        session.replaced(newerStore !== store && !destroying);
        stopListening();
      },
    },
    store,
  );
  const session = createSyncSession(
    store,
    messagePrefix,
    {
      socket: {
        ...socket,
        address: () => (connection.basePath || connection.room ? connection.roomUrl : ''),
        closing: () => readClosing(connection, lastClose()),
      },
      endpoint: createHttpEndpoint(
        () => {
          const { room } = session;
          // A new token of the same room counts at once. One of another room is not for this one.
          if (room === connection.roomUrl) query = queryOf(connection);
          const url = storeUrlOf(connection, room, query, storePath, storeProtocol);
          url.then(
            () => session.queried(true),
            () => session.queried(false),
          );
          return url;
        },
        callAfter,
        config,
      ),
      after: callAfter,
      now: Date.now,
      soon: (callback) => void callSoon(callback),
      randomId,
      random: Math.random,
      firstGeneration: Math.floor(Math.random() * 2 ** 32),
      ...(offline && { createOutbox: (owner) => offline.createOutbox(owner) }),
    },
    {
      onSync: (sync) => listeners.call('sync', persister, sync),
      onRefused: (refusals) => {
        const tell = (): void => listeners.call('refusal', persister, refusals);
        // A listener may write to the Store, which takes nothing while it tells of an edit.
        if (session.replica.isReading) queueMicrotask(tell);
        else tell();
      },
      onError: ignore,
    },
    status,
  );
  const turn = new StoreTurn(session.replica.claim, callAfter, () => {
    const message = 'Another persister uses this Store, so this one waits. Destroy the other.';
    ignore(new TinyBasePartyKitError('misuse', message));
  });
  const end = (): void => {
    stops++;
    turn.end();
  };
  const unwatchNetwork = watchNetwork(() => session.networkChanged());
  const stopListening = (): void => {
    detach();
    unwatchNetwork();
  };
  const destroy = async (): Promise<void> => {
    end();
    // Now: an app may close the socket next.
    session.sendNow();
    const scheduled = schedule.end();
    // It may have begun a moment ago, and be about to send.
    if (socket.isOpen()) {
      await new Promise<void>((resolve) => {
        const cancel = callAfter(FAREWELL_MILLISECONDS, resolve);
        void session.whenSentConfirmed().then(resolve, resolve).then(cancel);
      });
    }
    // This also ends a load that runs.
    session.destroy();
    stopListening();
    await scheduled;
  };
  /** Makes a method that resolves to the persister when the action is done. */
  const method =
    <Parameters extends readonly unknown[]>(
      action: (...parameters: Parameters) => unknown,
    ): ((...parameters: Parameters) => Promise<PartyKitPersister>) =>
    async (...parameters) => {
      await action(...parameters);
      return persister;
    };

  /** Begins at once; what is scheduled later waits for it. */
  const startNow = (start: () => Promise<void>): Promise<void> => {
    const begun = start();
    void schedule.run(() => begun);
    return ignored.during(() => begun);
  };
  /** Begins after what was scheduled. */
  const startLater = (start: () => Promise<void>): Promise<void> =>
    schedule.run(() => ignored.during(start));
  const follow = (content: Content | (() => Content) | undefined, isToo: boolean): Promise<void> =>
    status.whileLoading(() =>
      startNow(() => turn.begin('follow', () => session.follow(seedOf(content), isToo))),
    );
  const startAutoLoad = method((content?: Content | (() => Content)) => follow(content, false));
  const startSaving = (): Promise<void> =>
    startNow(() => turn.begin('start-saving', () => session.startSaving()));
  const startAutoSave = method(() => status.whileSaving(startSaving));
  const stopAutoLoad = method(() => {
    turn.cancel('follow');
    session.stopFollowing();
  });
  const stopAutoSave = method(() => {
    turn.cancel('start-saving');
    session.stopSaving();
  });
  const stopAutoPersisting = method(() => {
    stops++;
    return Promise.all([stopAutoLoad(), stopAutoSave()]);
  });
  const persister: PartyKitPersister = {
    load: method((content?: Content | (() => Content)) =>
      status.whileLoading(() =>
        startLater(() => turn.begin('load', () => session.load(seedOf(content)))),
      ),
    ),
    startAutoLoad,
    stopAutoLoad,
    isAutoLoading: () => session.isFollowing || turn.isWaiting('follow'),
    save: method(() =>
      status.whileSaving(() => startLater(() => turn.begin('save', () => session.save()))),
    ),
    startAutoSave,
    stopAutoSave,
    isAutoSaving: () => session.isSaving || turn.isWaiting('start-saving'),
    startAutoPersisting: method(
      async (content?: Content | (() => Content), startSaveFirst = false) => {
        const stopsBefore = stops;
        // If it was stopped or destroyed meanwhile, that was on purpose.
        const isWanted = (): boolean => stops === stopsBefore;
        try {
          if (startSaveFirst) {
            await startAutoSave();
            if (isWanted()) await follow(content, true);
          } else {
            const loading = startAutoLoad(content);
            // At once: a room that refuses the first request is not asked again. The status tells of it after the load, as TinyBase's does.
            const saving = isWanted() ? startSaving() : undefined;
            await Promise.all([
              saving,
              loading.then(() => saving && status.whileSaving(() => saving)),
            ]);
          }
        } catch (error) {
          await stopAutoPersisting();
          throw error;
        }
      },
    ),
    stopAutoPersisting,
    getStatus: () => status.status,
    addStatusListener: (listener) => listeners.add('status', listener),
    delListener: (listenerId) => {
      listeners.remove(listenerId);
      return persister;
    },
    // An action that fails is reported, and the next one runs.
    schedule: method(async (...actions: (() => Promise<unknown>)[]) => {
      const scheduled = actions.map((action) =>
        startLater(async () => {
          try {
            await action();
          } catch (error) {
            ignore(error);
          }
        }),
      );
      const outcomes = await Promise.allSettled(scheduled);
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    }),
    getStore: () => store,
    getStats: () => session.stats,
    destroy: method(() => (destroying ??= destroy())),
    getConnection: () => connection,
    getSync: () => session.sync,
    addSyncListener: (listener) => listeners.add('sync', listener),
    addRefusalListener: (listener) => listeners.add('refusal', listener),
    whenConfirmed: () => session.whenConfirmed(),
    discardLocal: () => {
      session.discardLocal();
      return persister;
    },
  };
  if (socket.isOpen()) session.opened();
  return Object.freeze(Object.assign(persister, { [REPLICA]: session.replica }));
}

async function callSoon(callback: () => void): Promise<void> {
  await Promise.resolve();
  callback();
}
