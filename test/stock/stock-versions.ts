import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { PartySocket } from 'partysocket';
import type * as TinyBase from 'tinybase';
import type { Content, Store } from 'tinybase';
import type * as TinyBaseClient from 'tinybase/persisters/persister-partykit-client';
import type * as TinyBaseServer from 'tinybase/persisters/persister-partykit-server';
import { WebSocket } from 'ws';

type StoreModule = Pick<typeof TinyBase, 'createStore'>;
type ClientModule = Pick<typeof TinyBaseClient, 'createPartyKitPersister'>;

type StockServer = (typeof TinyBaseServer)['TinyBasePartyKitServer'];
type ServerModule = Pick<typeof TinyBaseServer, 'TinyBasePartyKitServer'>;

const require = createRequire(import.meta.url);

/** The releases of TinyBase whose own pair is put together with ours, by what it is installed as. */
export const STOCK_VERSIONS = ['7', '9', '10'] as const;
export type StockVersion = (typeof STOCK_VERSIONS)[number];

const load = async <T>(version: StockVersion, path: string): Promise<T> => {
  const name = version === '10' ? 'tinybase' : `tinybase-${version}`;
  const loaded: unknown = await import(pathToFileURL(require.resolve(`${name}${path}`)).href);
  return loaded as T;
};

/** The room class of a release of TinyBase. */
export const loadStockServer = async (version: StockVersion): Promise<StockServer> => {
  const path = '/persisters/persister-partykit-server';
  return (await load<ServerModule>(version, path)).TinyBasePartyKitServer;
};

/** A client that is TinyBase's own throughout, Store included. */
export interface StockClient {
  readonly store: Store;
  readonly socket: PartySocket;
  readonly close: () => Promise<void>;
}

/** Opens clients of TinyBase's own, and closes all of them at once after a test. */
export class StockClients {
  readonly #open = new Set<StockClient>();

  /** One that has loaded and is connected. What others write before this resolves, it may miss: that is stock. */
  async open(
    version: StockVersion,
    where: { readonly host: string; readonly party?: string; readonly room: string },
    seed?: Content,
    config: { storePath?: string; messagePrefix?: string } = {},
  ): Promise<StockClient> {
    const { createStore } = await load<StoreModule>(version, '');
    const { createPartyKitPersister } = await load<ClientModule>(
      version,
      '/persisters/persister-partykit-client',
    );
    const store = createStore();
    const socket = new PartySocket({ WebSocket, ...where });
    const opened = new Promise((resolve) => {
      socket.addEventListener('open', resolve, { once: true });
    });
    const persister = createPartyKitPersister(store, socket, { storeProtocol: 'http', ...config });
    await opened;
    await persister.startAutoLoad(seed);
    await persister.startAutoSave();
    const client: StockClient = {
      store,
      socket,
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
