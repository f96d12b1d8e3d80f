import { TinyBasePartyKitServer } from '../src/server/index.ts';

/** The room that `npm run dev` runs: one shared list for each room id. */
export default class DemoRoom extends TinyBasePartyKitServer {
  /** Only what is done may be deleted, so that there is something that the room refuses. */
  override canDelRow(tableId: string, rowId: string): boolean {
    return this.store.getCell(tableId, rowId, 'done') === true;
  }
}
