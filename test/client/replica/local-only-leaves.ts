import type { Leaf } from '../../../src/protocol/leaf.ts';
import { LeafMap } from '../../../src/protocol/leaf-map.ts';
import type { Replica } from '../../../src/client/replica/replica.ts';

/** Returns the local-only leaves with their views (LOCAL-2). */
export function localOnlyLeaves({
  overlay,
}: Replica): LeafMap<{ readonly leaf: Leaf | undefined }> {
  const leaves = new LeafMap<{ readonly leaf: Leaf | undefined }>();
  overlay.forEach(({ local }, table, row, cell) => {
    if (local !== undefined) leaves.set(table, row, cell, { leaf: local.leaf });
  });
  return leaves;
}
