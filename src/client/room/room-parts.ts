import { PartySocket } from 'partysocket';
import type { Store } from 'tinybase';

import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { DeclarationsOf } from '../../protocol/events/event-types.ts';
import type { PresenceCellsOf } from '../../protocol/presence/presence-types.ts';
import { isPlain } from '../../protocol/option-kinds.ts';
import { createEvents, type Events } from '../features/events/index.ts';
import { assertCells } from '../features/presence/client-presence.ts';
import { createPresence, type Presence } from '../features/presence/index.ts';
import { createPartyKitPersister, type PartyKitPersister } from '../partykit-persister.ts';
import { callAfter } from '../platform/call-after.ts';
import { attachToPartySocket, readError, tellQueried } from '../platform/channel.ts';
import { isOnline, watchNetwork } from '../platform/network-changes.ts';
import { hasGivenUp } from '../platform/socket-closing.ts';
import { reportLater } from '../platform/report-later.ts';
import { REPLICA } from '../replica/edit-observer.ts';
import { Replica } from '../replica/replica.ts';
import type { RoomContext, RoomOptions } from './client-options.ts';
import {
  createConnectionAttempts,
  isRefusal,
  left,
  textOf,
  type Answer,
  type Owner,
} from './connection-attempts.ts';

/** The time for which `leave` waits until the room has confirmed what is pending (`CLIENT-1`). */
const FAREWELL_MILLISECONDS = 2_000;

const NO_WEBSOCKET_MESSAGE =
  'This platform has no WebSocket: in Node, pass that of the package ws to createClient.';
const NO_TOKEN_MESSAGE = 'The function "token" gave no token: the user may not enter.';
const INVALID_TOKEN_MESSAGE =
  'The function "token" returned something that is not a token: return the token itself, or null if the user may not enter.';
const EMPTY_TOKEN_MESSAGE =
  'The function "token" returned an empty text: return the token itself, or null if the user may not enter.';
const QUERY_MESSAGE = '"query" is no plain object of texts';
const TEXT_MESSAGE = '"token" returned a text with a space or "<": is it a page?';

/** The parts of a room, from when it is made until it is left. */
export interface RoomParts<Room> {
  readonly socket: PartySocket;
  readonly persister: PartyKitPersister;
  readonly presence: Presence<PresenceCellsOf<Room>>;
  readonly events: Events<DeclarationsOf<Room>>;
  /** True if the parts cannot be started any more. */
  isOver(): boolean;
  /** Starts the parts, unless they run. Settles as `enter` does. */
  start(): Promise<void>;
  /** Resolves when nothing is pending any more, or after 2 s. */
  flush(): Promise<void>;
  /** Ends the parts. */
  end(): Promise<void>;
}

/** Creates the parts of a room, which are not started. */
export function createRoomParts<Room, Metadata>(
  store: Store,
  presenceStore: Store,
  options: RoomOptions<Room, Metadata>,
  owner: Owner,
  context: () => RoomContext<Metadata>,
  onRefused: (error: TinyBasePartyKitError) => void,
): RoomParts<Room> {
  const {
    callTimeoutMilliseconds,
    initialPresence,
    initialStorage,
    messagePrefix = '',
    onIgnoredError,
  } = options;
  // Before there is anything that would have to end.
  assertCells(initialPresence ?? {});
  const report = reportLater(onIgnoredError);

  /** The message of the last error that concerns the whole connection: the persister reports it. */
  let refused: string | undefined;

  const socket = new PartySocket({
    ...options,
    room: context().room,
    query: () => attempts.query(),
    startClosed: true,
    // The attempts themselves wait.
    minReconnectionDelay: 0,
    maxReconnectionDelay: 0,
  });
  // First, so that it hears what the room refuses before the other parts act on that.
  const { socket: attached, detach } = attachToPartySocket(socket, `${messagePrefix}:room`, {
    onOpen: () => attempts.opened(),
    onClose: () => attempts.closed(),
    onMessage: (data) => {
      const error = readError(messagePrefix, data);
      // A room says nothing else to a connection that it has not let in (`GATE-5`).
      if (error === undefined) attempts.admitted();
      if (error?.code === 'expired') attempts.expired();
      refused = error?.message ?? refused;
    },
    onStopped: (error) => {
      refused = error.message;
      if (isRefusal(error)) onRefused(error);
    },
  });
  const attempts = createConnectionAttempts(
    {
      after: callAfter,
      now: Date.now,
      random: Math.random,
      ask: async () => {
        const asked = await askApp(options, context());
        tellQueried(socket);
        return asked;
      },
      owner,
      socket: { ...attached, isWanted: () => socket.shouldReconnect },
      // The persister reports why there is no token, and shows it in `getSync()`.
      onError: (error) =>
        error instanceof TinyBasePartyKitError && error.code === 'network'
          ? queueMicrotask(() => tellQueried(socket, error))
          : report(error),
    },
    options.reconnectTimeoutMs,
  );
  const unwatchNetwork = watchNetwork(() => {
    if (isOnline()) attempts.hurry();
  });
  const persister = createPartyKitPersister(
    store,
    socket,
    { ...options.persister, messagePrefix },
    onIgnoredError,
  );
  const shared = {
    messagePrefix,
    onIgnoredError: (error: unknown) => textOf(error) === refused || report(error),
  };
  let presence: RoomParts<Room>['presence'];
  try {
    presence = createPresence<Room>(presenceStore, socket, {
      ...shared,
      ...(initialPresence !== undefined && { initial: initialPresence }),
    });
  } catch (error) {
    // A listener of its Store has thrown it. Nobody could end the others.
    unwatchNetwork();
    void persister.destroy();
    throw error;
  }

  const events = createEvents<Room>(socket, {
    ...shared,
    ...(callTimeoutMilliseconds !== undefined && {
      timeoutMilliseconds: callTimeoutMilliseconds,
    }),
  });

  /** True if this device keeps content and edits. */
  const isKept = options.persister?.offline !== undefined;
  let hasEnded = false;
  let hasStarted = false;
  /** Settles when the content is there, or never will be. */
  const whenThere = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const { phase, error } = persister.getSync();
        switch (phase) {
          case 'live':
          case 'empty':
          case 'reduced':
            resolve();
            break;
          case 'stopped':
            reject(hasEnded || error === undefined ? left() : error);
            break;
          case 'idle':
          case 'loading':
            return;
          case 'connecting':
          case 'catching-up':
            // The content is there: from this device, perhaps (OFFLINE-10).
            if (!isKept) return;
            resolve();
            break;
        }
        persister.delListener(listenerId);
      };
      const listenerId = persister.addSyncListener(look);
      look();
    });

  return {
    socket,
    persister,
    presence,
    events,
    isOver: () => {
      const { phase, error } = persister.getSync();
      return phase === 'stopped' && (error === undefined || !isRefusal(error));
    },
    start: async () => {
      hasStarted = true;
      // If this is called within a listener, the persister has to finish first.
      await Promise.resolve();
      if (hasEnded) throw left();
      // PartySocket would try to connect for ever.
      if (!options.WebSocket && typeof WebSocket === 'undefined')
        throw new TinyBasePartyKitError('misuse', NO_WEBSOCKET_MESSAGE);
      const starts: Promise<unknown>[] = [];
      if (!socket.shouldReconnect || hasGivenUp(socket)) {
        attempts.reset();
        attached.reconnect();
      } else attempts.hurry();
      const { phase } = persister.getSync();
      if (phase === 'idle' || phase === 'stopped')
        // At once: a persister that was refused would begin anew if it began to save later.
        starts.push(persister.startAutoLoad(initialStorage), persister.startAutoSave());
      await new Promise<void>((resolve, reject) => {
        for (const started of starts) started.catch(reject);
        whenThere().then(resolve, reject);
      });
    },
    flush: async () => {
      // If this is called within a listener, the persister does not know of the edit yet.
      await Promise.resolve();
      if (!hasStarted && persister.getSync().phase === 'idle') return;
      // Edits that wait for the app to save again are not sent.
      if (!persister.isAutoSaving() && !hasPending(persister)) return;
      // Nobody can confirm them now, and this device keeps them: a new client of the page shows them if it finds them free.
      if (isKept && persister.getSync().phase !== 'idle' && !attached.isOpen() && !isOnline())
        return;
      await new Promise<void>((resolve) => {
        const cancel = callAfter(FAREWELL_MILLISECONDS, resolve);
        const settle = (): void => {
          cancel();
          resolve();
        };
        persister.whenConfirmed().then(settle, settle);
      });
    },
    end: async () => {
      hasEnded = true;
      const { unsaved } = persister.getSync();
      // The persister reports those that are not kept.
      if (unsaved > 0 && !isKept)
        report(
          new TinyBasePartyKitError(
            'destroyed',
            `The room was left with ${unsaved} unconfirmed edits: refusal listeners get them.`,
          ),
        );
      presence.destroy();
      events.destroy();
      attempts.end();
      unwatchNetwork();
      socket.close();
      await persister.destroy();
      detach();
    },
  };
}

/** Returns true if edits are on their way to the room. */
function hasPending(persister: PartyKitPersister): boolean {
  const replica: unknown = Reflect.get(persister, REPLICA);
  return replica instanceof Replica && replica.pending.length > 0;
}

/** Asks the app for the parameters of the next attempt. */
async function askApp<Metadata>(
  {
    query,
    token,
    tokenParameter = 'token',
  }: Pick<RoomOptions<unknown, Metadata>, 'query' | 'token' | 'tokenParameter'>,
  context: RoomContext<Metadata>,
): Answer {
  const [parameters, asked] = await Promise.all([
    typeof query === 'function' ? query(context) : query,
    // What it throws at once is a rejection, too: otherwise nobody would hear of that of the query.
    Promise.resolve(context).then(token),
  ]);
  // What it has would not be in the URL.
  if (parameters && !isPlain(parameters)) throw new Error(QUERY_MESSAGE);
  if (token === undefined) return { parameters: { ...parameters } };
  if (typeof asked !== 'string')
    throw new TinyBasePartyKitError(
      'unauthorized',
      asked === null ? NO_TOKEN_MESSAGE : INVALID_TOKEN_MESSAGE,
    );
  if (asked === '') throw new TinyBasePartyKitError('unauthorized', EMPTY_TOKEN_MESSAGE);
  // Perhaps a proxy answers as long as the server of the tokens is away.
  if (/[\s<]/.test(asked)) throw new Error(TEXT_MESSAGE);
  return { parameters: { ...parameters, [tokenParameter]: asked }, token: asked };
}
