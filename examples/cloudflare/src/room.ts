import type { Store } from 'tinybase';
import { TinyBaseRoomServer } from 'tinybase-partykit/server/durable-object';

/** A wall of notes. The room's Store is the source of truth: a refused edit goes back to the room's value at its author. */
export class NotesRoom extends TinyBaseRoomServer {
  override prepareStore(store: Store): void {
    store.setTablesSchema({
      notes: {
        text: { type: 'string', default: '' },
        createdAt: { type: 'number', default: 0 },
      },
    });
  }

  override canSetCell(_table: string, _row: string, _cell: string, cell: unknown): boolean {
    return typeof cell !== 'string' || cell.length <= 500;
  }
}
