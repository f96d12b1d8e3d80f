import type { Store } from 'tinybase';
import { TinyBasePartyKitServer } from 'tinybase-partykit/server';
import { createPresence } from 'tinybase-partykit/server/presence';
import { z } from 'zod';

/** A room with notes, that shows who is there. */
export default class NotesRoom extends TinyBasePartyKitServer {
  presence = createPresence(this, { schema: z.object({ name: z.string().max(40) }) });

  override prepareStore(store: Store): void {
    store.setTablesSchema({
      notes: { text: { type: 'string' }, createdAt: { type: 'number', default: 0 } },
    });
  }
}
