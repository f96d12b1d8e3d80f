import { setTimeout as wait } from 'node:timers/promises';
import { PartySocket, type PartySocketOptions } from 'partysocket';
import { type Content, createStore, type Store } from 'tinybase';
import { WebSocket } from 'ws';
import type {
  PartyKitPersister,
  PartyKitPersisterConfig,
  Refusal,
} from '../../src/client/index.ts';
import { createTestedPersister, PAIR, PATIENCE_MILLISECONDS } from './pair.ts';
import { until } from './until.ts';

/** A client and what it saw. */
export interface Client {
  readonly store: Store;
  readonly socket: PartySocket;
  readonly persister: PartyKitPersister;
  /** All that the persister ignored, and reported. */
  readonly ignoredErrors: readonly unknown[];
  /** What the room refused, in order. */
  readonly refusals: readonly Refusal[];
  /** Waits until everything that this client did is confirmed; with the stock pair: as long as it may take. */
  readonly confirmed: () => Promise<void>;
  /** Cuts the connection, until {@link Client.heal}. */
  readonly cut: () => void;
  readonly heal: () => void;
  readonly close: () => Promise<void>;
}

/** How {@link Clients.open} makes a client. `host` and `room` are PartySocket's own. */
export interface ClientOptions extends Partial<PartySocketOptions> {
  readonly host: string;
  readonly room: string;
  /** The initial content, should the room have none. */
  readonly seed?: Content;
  readonly config?: PartyKitPersisterConfig;
  /** Done to the Store before there is a persister. */
  readonly prepare?: (store: Store) => void;
}

/** Opens clients, and closes all of them at once after a test. */
export class Clients {
  readonly #open = new Set<Client>();

  /** A client that has loaded the room and follows it. */
  async open(options: ClientOptions): Promise<Client> {
    const client = this.create(options);
    await client.persister.startAutoPersisting(options.seed);
    await until('a client to be live', () =>
      PAIR === 'ours'
        ? client.persister.getSync().phase === 'live'
        : client.socket.readyState === WebSocket.OPEN,
    );
    return client;
  }

  /** A client that nothing was started of. */
  create(options: ClientOptions): Client {
    const { seed: _seed, config = {}, prepare, ...socketOptions } = options;
    const store = createStore();
    prepare?.(store);
    const socket = new PartySocket({
      WebSocket,
      minReconnectionDelay: 30,
      maxReconnectionDelay: 300,
      disableNameValidation: true,
      ...socketOptions,
    });
    const ignoredErrors: unknown[] = [];
    const refusals: Refusal[] = [];
    const persister = createTestedPersister(store, socket, config, (error) => {
      ignoredErrors.push(error);
    });
    if (PAIR === 'ours') {
      persister.addRefusalListener((_persister, refused) => {
        refusals.push(...refused);
      });
    }
    const client: Client = {
      store,
      socket,
      persister,
      ignoredErrors,
      refusals,
      confirmed: async () => {
        if (PAIR === 'stock') {
          await waitShortly();
          return;
        }
        const deadline = new AbortController();
        try {
          await Promise.race([
            persister.whenConfirmed(),
            failAtStandstill(client, deadline.signal),
          ]);
        } finally {
          deadline.abort();
        }
      },
      cut: () => {
        socket.close();
      },
      heal: () => {
        socket.reconnect();
      },
      close: async () => {
        this.#open.delete(client);
        await persister.destroy();
        socket.close();
      },
    };
    this.#open.add(client);
    return client;
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#open].map((client) => client.close()));
  }
}

/** How long nothing may be confirmed while the room is up. */
const STANDSTILL_MILLISECONDS = 12_000;

/** Rejects with all that is known of the client when it gets nowhere any more. */
const failAtStandstill = async (client: Client, signal: AbortSignal): Promise<never> => {
  let unsaved: number;
  do {
    ({ unsaved } = client.persister.getSync());
    await wait(STANDSTILL_MILLISECONDS, undefined, { signal });
  } while (client.persister.getSync().unsaved !== unsaved);
  throw new Error(`Waited for a confirmation in vain: ${stateOf(client)}`);
};

/** Where a client stands, for error messages. */
const stateOf = ({ persister, socket, ignoredErrors }: Client): string =>
  JSON.stringify({
    ...(PAIR === 'ours' ? persister.getSync() : {}),
    readyState: socket.readyState,
    retryCount: socket.retryCount,
    lastErrors: ignoredErrors.slice(-3).map(String),
  });

const waitShortly = (): Promise<void> => wait(PATIENCE_MILLISECONDS / 5);
