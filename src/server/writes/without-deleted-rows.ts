import type { Store } from 'tinybase';

import type { Changes } from '../../protocol/changes.ts';
import { VALUES, type Leaf } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';

import type { AskedOrigin } from '../room/change-origin.ts';
import type { WriteTarget } from './write-target.ts';

/**
 * Returns a push without what it sets in rows that were deleted after the commit that it reacts to (`DERIVE-3`). Other changes stay
 * whole.
 */
export function withoutDeletedRows<Connection, Request>(
  store: Store,
  target: Pick<WriteTarget<Connection, Request>, 'wasDeletedSince'>,
  changes: Changes,
  origin: AskedOrigin<Connection, Request>,
): Changes {
  if (origin.type !== 'push' || origin.reactsTo === undefined) return changes;
  const { reactsTo } = origin;
  const leaves = new LeafMap<Leaf | undefined>();
  let isWhole = true;
  changes.leaves.forEach((leaf, table, row, cell) => {
    const isGone =
      table !== VALUES && !store.hasRow(table, row) && target.wasDeletedSince(reactsTo, table, row);
    if (isGone) isWhole = false;
    else leaves.set(table, row, cell, leaf);
  });
  return isWhole ? changes : { ...changes, leaves };
}
