import { PartySocket } from 'partysocket';
import { createStore } from 'tinybase';
import { createStore as createStoreWithSchemas } from 'tinybase/with-schemas';
import { test } from 'vitest';

import { createPartyKitPersister } from '../../src/client/index.ts';
import { createPartyKitPersister as createPersisterWithSchemas } from '../../src/client/with-schemas.ts';
import { createDevtools } from '../../src/devtools/index.ts';

const socket = new PartySocket({ host: 'host.test', room: 'room' });

test('the panel takes a persister with and without schemas, and no other', () => {
  createDevtools(createPartyKitPersister(createStore(), socket), { corner: 'top-right' });
  const store = createStoreWithSchemas().setTablesSchema({ pets: { legs: { type: 'number' } } });
  createDevtools(createPersisterWithSchemas(store, socket));
  // @ts-expect-error A Store is no persister.
  createDevtools(createStore());
  // @ts-expect-error There is no such corner.
  createDevtools(createPartyKitPersister(createStore(), socket), { corner: 'bottom' });
});
