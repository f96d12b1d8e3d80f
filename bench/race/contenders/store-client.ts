import type { Store } from 'tinybase/store';

import type { Cell, RaceClient } from '../contender.ts';

const TABLE = 'rows';

/** A client whose Cells are in a TinyBase Store. */
export function storeClient(
  store: Store,
  connection: Pick<RaceClient, 'connected' | 'close' | 'leave' | 'comeBack'>,
): RaceClient {
  let onChange = (): void => undefined;
  store.addDidFinishTransactionListener(() => onChange());
  return {
    set: (row, cell, value) => void store.setCell(TABLE, row, cell, value),
    get: (row, cell): Cell | undefined => {
      const value = store.getCell(TABLE, row, cell);
      return typeof value === 'string' || typeof value === 'number' ? value : undefined;
    },
    rowCount: () => store.getRowCount(TABLE),
    onChange: (callback) => {
      onChange = callback;
    },
    ...connection,
  };
}
