import { TinyBasePartyKitServer as StockServer } from 'tinybase/persisters/persister-partykit-server';

import type { StrictStorage } from './strict-storage.ts';

/** TinyBase's own server on that storage: no PartyKit is needed to ask it over HTTP. */
export const stockServerOn = (
  storage: StrictStorage,
  prefix: string = '',
  Server: typeof StockServer = StockServer,
): StockServer => {
  const transaction = {
    get: async (key: string) => (await storage.get([key])).get(key),
    put: (entries: Record<string, unknown>) => storage.put(entries),
    delete: (keys: string[]) => (keys.length > 0 ? storage.delete(keys) : 0),
    list: (options: { prefix: string }) => storage.list(options),
  };
  const party = {
    storage: {
      ...transaction,
      transaction: (run: (inside: typeof transaction) => unknown) => run(transaction),
    },
    broadcast: () => undefined,
  };
  const server = new Server(party as never);
  server.config.storagePrefix = prefix;
  return server;
};

/** What TinyBase's own server answers to a GET, or to a PUT of that content. */
export const askStock = async (server: StockServer, content?: unknown): Promise<string> => {
  const request = new Request('http://example.com/store', {
    method: content === undefined ? 'GET' : 'PUT',
    ...(content !== undefined && { body: JSON.stringify(content) }),
  });
  const response = await server.onRequest(request as never);
  return await response.text();
};
