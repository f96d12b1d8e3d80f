import type { Leaf } from '../../../protocol/leaf.ts';
import type { PresenceCells } from '../../../protocol/presence/presence-from-client.ts';
import { cellLeaf } from './presence-row.ts';

/** A user as the table `users` has it. */
export interface UserRow {
  readonly id: string;
  /** The Cells, including `id`. */
  readonly cells: PresenceCells;
}

/** Returns the row of a user; undefined for none. Throws a `TypeError` if the option `user` returned an invalid user. */
export function readUser(user: unknown): UserRow | undefined {
  if (user === undefined || user === null) return undefined;
  const id: unknown = typeof user === 'object' ? Reflect.get(user, 'id') : undefined;
  if (typeof user !== 'object' || typeof id !== 'string') {
    throw new TypeError(
      'The option user of createPresence returned something without an id: return an object with a text as id.',
    );
  }
  const cells = new Map<string, Leaf>();
  for (const [cell, value] of Object.entries({ ...user, id })) {
    if (value === undefined) continue;
    const leaf = cellLeaf(value);
    if (leaf === undefined) {
      throw new TypeError(
        `The option user of createPresence returned "${cell}", which no Cell can hold: leave it out.`,
      );
    }
    cells.set(cell, leaf);
  }
  return { id, cells };
}
