import {
  createContext,
  createElement,
  useContext,
  useEffect,
  useState,
  type FunctionComponent,
  type ReactNode,
} from 'react';
import type { Id, Store } from 'tinybase';
import { Provider } from 'tinybase/ui-react';

import type { Sync } from '../client/index.ts';
import {
  TinyBasePartyKitError,
  type Client,
  type ClientRoom,
  type RoomOverrides,
} from '../client/room/index.ts';
import { roomReports } from '../client/room/room-reports.ts';
import { watchRenewals } from '../client/room/renewals.ts';
import type { DataOf, DeclarationsOf, EventName } from '../protocol/events/event-types.ts';
import { notGot } from '../protocol/option-kinds.ts';
import { assertListener } from './parameters.ts';
import { reportRefusals } from './report-refusals.ts';
import { useLatest } from './use-latest.ts';
import { useSync } from './use-sync.ts';

/** The properties of a `RoomProvider`. */
export type RoomProviderProps<Room, Metadata, Entered = Metadata> = {
  /** The id of the room. */
  readonly id: string;
  /** Options of the room, for when it is created: later ones have no effect. */
  readonly options?: RoomOverrides<Room, Metadata>;
  /** Shown on a server, and in the first render, when there is no room yet. Nothing by default. */
  readonly fallback?: ReactNode;
  readonly children?: ReactNode;
} & (undefined extends Entered
  ? { readonly metadata?: Metadata }
  : {
      /** The data that the functions `token` and `query` of the client get. */
      readonly metadata: Metadata;
    });

/** The hooks for the rooms of one client. */
export interface RoomHooks<Room, Metadata, Entered = Metadata> {
  /**
   * Enters a room while it is mounted. It contains a `Provider` of TinyBase: the Store of the room is the default one, and that of
   * presence has the id `'presence'`.
   */
  readonly RoomProvider: FunctionComponent<RoomProviderProps<Room, Metadata, Entered>>;
  /** Returns the room of the nearest `RoomProvider`. */
  readonly useRoom: () => ClientRoom<Room>;
  /** Returns the state of the connection to the room, and renders again when it changes. */
  readonly useSync: () => Sync;
  /** Calls a listener with the data of each event of that name, as `events.addListener` of the room does. */
  readonly useEvent: <Name extends EventName<DeclarationsOf<Room>>>(
    name: Name,
    listener: (data: DataOf<DeclarationsOf<Room>, Name>, from: Id | undefined) => void,
  ) => void;
}

/** The part of a client that hooks use. */
interface EnteringClient<Room, Metadata> extends Pick<
  Client<Room, Metadata>,
  'createRoom' | 'getRoom' | 'leave'
> {
  enter(room: ClientRoom<Room>, options: { readonly metadata?: Metadata }): Promise<unknown>;
}

/** A room that was entered. There is a new one each time the room gets other parts, so that all who use them render again. */
interface Stay<Room> {
  readonly room: ClientRoom<Room>;
  /** The Stores with an id. The same object as long as they are: with another one, all hooks of TinyBase render again. */
  readonly storesById: Readonly<Record<Id, Store>>;
}

/** Creates the hooks for the rooms of one client. */
export function createRoomHooks<Room, Metadata, Entered>(
  client: Client<Room, Metadata, Entered>,
): RoomHooks<Room, Metadata, Entered>;
export function createRoomHooks<Room, Metadata>(
  client: EnteringClient<Room, Metadata>,
): RoomHooks<Room, Metadata, Metadata | undefined> {
  const entering: unknown = client;
  if (typeof entering !== 'object' || entering === null || !('createRoom' in entering))
    throw notGot('createRoomHooks', 'client of createClient as its parameter');
  const Context = createContext<Stay<Room> | undefined>(undefined);
  /** The number of mounted providers of each room. */
  const mounted = new Map<ClientRoom<Room>, number>();
  /** Ends the reports of a room that its last provider has left: they go on until the room is entered again. */
  const endReports = new WeakMap<ClientRoom<Room>, () => void>();

  const useRoom = (): ClientRoom<Room> => {
    const stay = useContext(Context);
    if (stay !== undefined) return stay.room;
    const message = 'There is no room here: render the component within a RoomProvider.';
    throw new TinyBasePartyKitError('misuse', message);
  };
  return {
    RoomProvider: ({ id, options, metadata, fallback = null, children }) => {
      const [stay, setStay] = useState<Stay<Room>>();
      const latest = useLatest({ options, metadata, stay });
      useEffect(() => {
        const { options: overrides, metadata: given, stay: last } = latest.current;
        // React has hidden this and shows it again, as it was: the Stores are on the screen already.
        const shown = last && last.room.id === id ? last.room : undefined;
        const entered = client.getRoom(id) ?? shown ?? client.createRoom(id, overrides);
        const show = (): void =>
          setStay({ room: entered, storesById: { presence: entered.presence.getStore() } });
        show();
        const unwatch = watchRenewals(entered, show);
        mounted.set(entered, (mounted.get(entered) ?? 0) + 1);
        endReports.get(entered)?.();
        // Why the room cannot be entered is in its state: see useSync.
        client
          .enter(entered, given === undefined ? {} : { metadata: given })
          .catch(() => undefined);
        return () => {
          unwatch();
          const others = (mounted.get(entered) ?? 1) - 1;
          if (others > 0) mounted.set(entered, others);
          else {
            mounted.delete(entered);
            const endThese = reportRefusals(entered.persister, (error) =>
              roomReports.get(entered)?.(error),
            );
            endReports.set(entered, endThese);
            // Strict mode enters again at once, and then the room is not left. If it is, what nobody has confirmed is reported later.
            void client.leave(entered).finally(() => {
              if (client.getRoom(id) === entered) endThese();
            });
          }
        };
      }, [id, latest]);
      if (stay === undefined || stay.room.id !== id) return fallback;
      const { room, storesById } = stay;
      return createElement(
        Context.Provider,
        { value: stay },
        createElement(Provider, { store: room.store, storesById, children }),
      );
    },
    useRoom,
    useSync: () => useSync(useRoom().persister),
    useEvent: (name, listener) => {
      assertListener('useEvent', listener);
      const { events } = useRoom();
      const latest = useLatest(listener);
      useEffect(() => {
        const listenerId = events.addListener(name, (data, from) => latest.current(data, from));
        return () => events.delListener(listenerId);
      }, [events, name, latest]);
    },
  };
}
