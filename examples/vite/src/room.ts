import type { Store } from 'tinybase';
import { TinyBasePartyKitServer } from 'tinybase-partykit/server';

/** A room with notes. Its schema refuses everything else. */
export default class NotesRoom extends TinyBasePartyKitServer {
  override prepareStore(store: Store): void {
    store.setTablesSchema({
      notes: { text: { type: 'string' }, createdAt: { type: 'number', default: 0 } },
    });
  }
}
