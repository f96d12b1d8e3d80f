import { canonicalLeaf, encodeLeaf, VALUES, type Leaf } from '../protocol/leaf.ts';
import { LeafMap } from '../protocol/leaf-map.ts';

import type { KeyValueStorage } from './key-value-storage.ts';

/** Rows of a listing that are taken at a time. */
const PAGE_LENGTH = 1_000;

/**
 * Reads the content that TinyBase's own server left in a storage: one key for each Cell, `t` and the JSON of its three
 * ids without the brackets, and one for each Value, `v` and its id. Undefined if it left none.
 */
export async function readStockContent(
  storage: KeyValueStorage,
  prefix: string,
): Promise<LeafMap<Leaf> | undefined> {
  const marker = `${prefix}hasStore`;
  if (!(await storage.get([marker])).get(marker)) return undefined;
  const content = new LeafMap<Leaf>();
  for await (const [key, stored] of entries(storage, `${prefix}t`)) {
    const ids = cellIds(key.slice(prefix.length + 1));
    const leaf = asLeaf(stored);
    if (ids !== undefined && leaf !== undefined) content.set(...ids, leaf);
  }
  for await (const [key, stored] of entries(storage, `${prefix}v`)) {
    const leaf = asLeaf(stored);
    if (leaf !== undefined) content.set(VALUES, '', key.slice(prefix.length + 1), leaf);
  }
  return content;
}

async function* entries(
  storage: KeyValueStorage,
  prefix: string,
): AsyncIterable<[string, unknown]> {
  let start: string | undefined;
  for (;;) {
    const page = await storage.list({
      prefix,
      limit: PAGE_LENGTH,
      ...(start !== undefined && { start }),
    });
    let last = '';
    for (const entry of page) {
      yield entry;
      [last] = entry;
    }
    if (page.size < PAGE_LENGTH) return;
    // No key lies between a key and that key with a zero after it.
    start = `${last}\0`;
  }
}

/** With an empty prefix, keys of the app may begin with the same letter: they are none of ours. */
function cellIds(text: string): [table: string, row: string, cell: string] | undefined {
  let ids: unknown;
  try {
    ids = JSON.parse(`[${text}]`);
  } catch {
    return undefined;
  }
  if (!isStrings(ids) || ids.length !== 3) return undefined;
  const [table, row, cell] = ids;
  return table === undefined || row === undefined || cell === undefined
    ? undefined
    : [table, row, cell];
}

function isStrings(ids: unknown): ids is readonly string[] {
  return Array.isArray(ids) && ids.every((id) => typeof id === 'string');
}

function asLeaf(stored: unknown): Leaf | undefined {
  const isPlain = Array.isArray(stored) || isPlainObject(stored);
  return canonicalLeaf(isPlain ? encodeLeaf(stored) : stored);
}

function isPlainObject(stored: unknown): stored is Record<string, never> {
  return (
    typeof stored === 'object' &&
    stored !== null &&
    Object.getPrototypeOf(stored) === Object.prototype
  );
}
