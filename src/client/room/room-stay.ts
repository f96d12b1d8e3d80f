import type { Store } from 'tinybase';

import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { ObservedStore } from '../../protocol/observed-store.ts';
import { isEmptyStore } from '../../protocol/store-access.ts';
import { assertMethods } from '../platform/parameters.ts';
import { reportLater } from '../platform/report-later.ts';
import { StoreClaim } from '../replica/store-claim.ts';
import type { ClientRoom, RoomOptions } from './client-options.ts';
import { left, type Owner } from './connection-attempts.ts';
import { tellRenewal } from './renewals.ts';
import { roomReports } from './room-reports.ts';
import { createRoomParts, type RoomParts } from './room-parts.ts';

/** The stays of a client in one room, one after the other. */
export interface RoomStay<Room, Metadata> {
  /** The room as the app sees it. Its parts are those of the present stay, or of the last one. */
  readonly room: ClientRoom<Room>;
  /** Enters, or continues the present stay. Without metadata, those that were given last still count. */
  enter(metadata?: Metadata): Promise<ClientRoom<Room>>;
  /** Leaves, unless the room is entered again before everything was sent. */
  leave(): Promise<void>;
}

/** Those that tell of an edit between two stays, by Store: the content of the room will replace it. */
const observers = new WeakMap<Store, ObservedStore>();

/** Creates a room that was not entered. `onLeft` is called when a stay ends. */
export function createRoomStay<Room, Metadata>(
  id: string,
  options: RoomOptions<Room, Metadata | undefined>,
  owner: Owner,
  onLeft: () => void,
): RoomStay<Room, Metadata> {
  const presenceStore = options.createStore();
  const whence = 'Store from its function createStore: it may not be async';
  assertMethods('createClient', whence, presenceStore, ['hasTablesSchema']);
  if (presenceStore.hasTablesSchema())
    throw new TinyBasePartyKitError(
      'misuse',
      'createStore returned a Store with a schema, which presence cannot have: set it in prepareStore.',
    );
  const { prepareStore, store = options.createStore() } = options;
  const endObserver = (): void => observers.get(store)?.stop();
  // The new persister tells of edits from now on.
  endObserver();
  const prepared: unknown = prepareStore?.(store);
  // A schema that comes later deletes for everybody what it does not name.
  if (prepared instanceof Promise)
    throw new TinyBasePartyKitError(
      'misuse',
      'prepareStore returned a promise: let it do everything at once.',
    );
  let { metadata } = options;
  /** The number of calls of `enter`. */
  let entries = 0;
  let hasLeft = false;
  let leaving: Promise<void> | undefined;

  const report = reportLater(options.onIgnoredError);
  const onRefused = (refusal: TinyBasePartyKitError): void =>
    void Promise.resolve()
      .then(() => options.onAuthorizationFail?.(refusal, room))
      .catch(report);
  const createParts = (): RoomParts<Room> =>
    createRoomParts(
      store,
      presenceStore,
      options,
      owner,
      () => ({ room: id, metadata }),
      onRefused,
    );

  let parts = createParts();
  const room: ClientRoom<Room> = Object.freeze({
    id,
    store,
    get presence() {
      return parts.presence;
    },
    get events() {
      return parts.events;
    },
    get persister() {
      return parts.persister;
    },
    get socket() {
      return parts.socket;
    },
  });

  roomReports.set(room, report);

  const leave = async (): Promise<void> => {
    const entry = entries;
    await parts.flush();
    if (entry !== entries) return;
    leaving = undefined;
    hasLeft = true;
    onLeft();
    await parts.end();
    // It may have been entered again.
    if (!hasLeft) return;
    endObserver();
    const observer = new ObservedStore(store, () => {
      // Another room may use the Store, and an app may empty it.
      if (new StoreClaim(store).isElsewhere || isEmptyStore(store)) return;
      endObserver();
      report(left());
    });
    observers.set(store, observer);
  };
  return {
    room,
    enter: async (given) => {
      entries++;
      endObserver();
      leaving = undefined;
      metadata = given ?? metadata;
      if (hasLeft || parts.isOver()) {
        // One that was left has ended already. Nobody waits for the other, whose socket is closed.
        if (!hasLeft) void parts.end();
        hasLeft = false;
        parts = createParts();
        tellRenewal(room);
      }
      await parts.start();
      return room;
    },
    leave: () => {
      if (hasLeft) return Promise.resolve();
      leaving ??= leave();
      return leaving;
    },
  };
}
