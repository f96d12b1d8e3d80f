import { createServer } from 'node:http';

import { createMergeableStore } from 'tinybase/mergeable-store';
import { createCustomPersister } from 'tinybase/persisters';
import { createWsServer } from 'tinybase/synchronizers/synchronizer-ws-server';
import { WebSocketServer } from 'ws';

/** Of TinyBase's `Persists`, an ambient const enum that cannot be named here. */
const MERGEABLE_STORE_ONLY = 2;

/** Not 1, the default: it gives up for ever what takes longer. */
const REQUEST_TIMEOUT_SECONDS = 5;

const http = createServer((_request, response) => response.end('ready'));
// The server has a Store for each path, so that a client can join while nobody else is there; nothing goes to disk.
createWsServer(
  new WebSocketServer({ server: http }),
  () =>
    createCustomPersister(
      createMergeableStore(),
      () => Promise.resolve(undefined),
      () => Promise.resolve(),
      () => undefined,
      () => undefined,
      undefined,
      MERGEABLE_STORE_ONLY,
    ),
  undefined,
  REQUEST_TIMEOUT_SECONDS,
);
http.listen(Number(process.argv[2]), '127.0.0.1');
