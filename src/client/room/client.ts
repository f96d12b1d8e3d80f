import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { assertOptions, type OptionKind } from '../../protocol/option-kinds.ts';
import { tellUnknownOptions } from '../check-options.ts';
import type { ClientRoom, RoomOptions, RoomOverrides } from './client-options.ts';
import type { Owner } from './connection-attempts.ts';
import { createRoomStay, type RoomStay } from './room-stay.ts';

/** The second parameter of `enter`. */
export type EnterParameters<Metadata> = undefined extends Metadata
  ? [options?: { readonly metadata?: Metadata }]
  : [options: { readonly metadata: Metadata }];

/**
 * The rooms of a client. `Room` is the type of the room's class, `Metadata` the type of what the app's functions `token` and `query`
 * get, and `Entered` of what `enter` needs for that.
 */
export interface Client<Room = unknown, Metadata = undefined, Entered = Metadata> {
  /**
   * Creates a room, which can be entered later; its options take precedence over those of the client. Without options, returns the
   * room of that id if there is one already.
   */
  createRoom(id: string, overrides?: RoomOverrides<Room, Metadata>): ClientRoom<Room>;
  /** Returns a room that was created or entered, and not left. */
  getRoom(id: string): ClientRoom<Room> | undefined;
  /** Returns all rooms that were created or entered, and not left. */
  getRooms(): readonly ClientRoom<Room>[];
  /**
   * Enters a room, and creates it if necessary. Resolves when its content is there, however long that takes. Rejects with a
   * `TinyBasePartyKitError` if it never will be: the user may not enter (then `enter` may be called again), or the room was left.
   */
  enter(
    idOrRoom: string | ClientRoom<Room>,
    ...parameters: EnterParameters<Entered>
  ): Promise<ClientRoom<Room>>;
  /**
   * Leaves a room. First sends what is pending, for up to 2 s. What the room has not confirmed then is reported to the refusal
   * listeners of the persister. A room that is entered meanwhile is not left.
   */
  leave(idOrRoom: string | ClientRoom<Room>): Promise<void>;
}

/** Every option; the compiler complains if one is missing. */
const OPTIONS: Readonly<Record<keyof RoomOptions, OptionKind>> = {
  host: 'string',
  party: 'string',
  prefix: 'string',
  path: 'string',
  basePath: 'string',
  protocol: 'ws or wss',
  protocols: '',
  id: 'string',
  WebSocket: 'function',
  connectionTimeout: 'number from 0 on',
  debug: 'boolean',
  debugLogger: 'function',
  disableNameValidation: 'boolean',
  maxEnqueuedMessages: '',
  maxRetries: '',
  minUptime: '',
  shouldReconnectOnClose: 'function',
  createStore: 'function',
  store: 'object',
  prepareStore: 'function',
  token: 'function',
  tokenParameter: 'string',
  query: 'object or function',
  initialStorage: '',
  initialPresence: 'object',
  reconnectTimeoutMs: 'number from 0 on or function',
  onAuthorizationFail: 'function',
  onIgnoredError: 'function',
  messagePrefix: 'string',
  callTimeoutMilliseconds: 'number from 0 on',
  persister: 'object',
  metadata: '',
};

/** Every option of `enter`. */
const ENTRY = { metadata: '' };

/** Creates the rooms of a client, of which there are none yet. */
export function createRooms<Room, Metadata>(
  options: RoomOptions<Room, Metadata | undefined>,
): Client<Room, Metadata | undefined> {
  const owner: Owner = {};
  const stays = new Map<string, RoomStay<Room, Metadata>>();
  const known = new WeakMap<ClientRoom<Room>, RoomStay<Room, Metadata>>();
  /** Reports options that do not exist, after the present call. */
  const check = (
    caller: string,
    given: object,
    { onIgnoredError } = options,
    kinds: Readonly<Record<string, OptionKind>> = OPTIONS,
  ): void => queueMicrotask(() => tellUnknownOptions(caller, given, kinds, onIgnoredError));
  assertOptions('createClient', options, OPTIONS);
  check('createClient', { ...options });

  const create = (
    id: string,
    overrides: RoomOverrides<Room, Metadata | undefined>,
  ): RoomStay<Room, Metadata> => {
    const all = { ...options, ...overrides };
    assertOptions('createRoom', overrides, OPTIONS);
    assertNeeded(id, all);
    check('createRoom', overrides, all);
    const stay: RoomStay<Room, Metadata> = createRoomStay(id, all, owner, () => {
      if (stays.get(id) === stay) stays.delete(id);
    });
    stays.set(id, stay);
    known.set(stay.room, stay);
    return stay;
  };
  const find = (idOrRoom: string | ClientRoom<Room>): RoomStay<Room, Metadata> | undefined =>
    typeof idOrRoom === 'string' ? stays.get(idOrRoom) : known.get(idOrRoom);

  return {
    createRoom: (id, overrides) => {
      const stay = stays.get(id);
      if (stay === undefined) return create(id, overrides ?? {}).room;
      if (overrides === undefined) return stay.room;
      throw misuse(`The room "${id}" exists, so it cannot get options: leave it first.`);
    },
    getRoom: (id) => stays.get(id)?.room,
    getRooms: () => [...stays.values()].map(({ room }) => room),
    enter: async (idOrRoom, ...[entry = {}]) => {
      assertOptions('enter', entry, ENTRY);
      check('enter', entry, options, ENTRY);
      const stay =
        find(idOrRoom) ?? (typeof idOrRoom === 'string' ? create(idOrRoom, {}) : undefined);
      if (stay === undefined)
        throw misuse('enter needs the id of a room, or a room that this client created.');
      const { id } = stay.room;
      if ((stays.get(id) ?? stay) !== stay)
        throw misuse(`Another room has the id "${id}": leave that first.`);
      stays.set(id, stay);
      return await stay.enter(entry.metadata);
    },
    leave: async (idOrRoom) => {
      const stay = find(idOrRoom);
      if (!stay && typeof idOrRoom !== 'string')
        throw misuse('leave needs the id of a room, or a room that this client created.');
      await stay?.leave();
    },
  };
}

/** Throws `misuse` for options that are missing, as in code without types. */
function assertNeeded(
  id: unknown,
  {
    createStore,
    host,
    tokenParameter,
  }: {
    readonly createStore?: unknown;
    readonly host?: unknown;
    readonly tokenParameter?: unknown;
  },
): void {
  if (typeof id !== 'string' || id === '')
    throw misuse('createRoom and enter need the id of a room: pass a text that is not empty.');
  if (typeof createStore !== 'function')
    throw misuse(
      'createClient got no function as its option createStore: pass the function createStore of TinyBase itself.',
    );
  if (tokenParameter === '')
    throw misuse('createClient got an empty tokenParameter: give it a name, or leave it out.');
  if (typeof host !== 'string' || host === '')
    throw misuse(
      "createClient got no host: give the option host a text such as 'localhost:1999', or location.host.",
    );
}

function misuse(message: string): TinyBasePartyKitError {
  return new TinyBasePartyKitError('misuse', message);
}
