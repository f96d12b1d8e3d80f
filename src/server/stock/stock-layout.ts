import { canonicalLeaf, VALUES, type Leaf, type TableKey } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';

import type { KeyValueStorage } from '../storage/key-value-storage.ts';
import { deleteKeys } from '../storage/ordered-writes.ts';

/** The number of keys that are listed at a time. */
const PAGE_LENGTH = 1_000;

/** A leaf as TinyBase's own server stores it. */
interface StockEntry {
  readonly key: string;
  readonly leaf: Leaf;
  readonly table: TableKey;
  readonly row: string;
  readonly cell: string;
}

/** The key that exists, with the value 1, if TinyBase's own server has a Store there. */
export function stockMarkerKey(prefix: string): string {
  return `${prefix}hasStore`;
}

/** The key of a leaf: `t` and the JSON of a Cell's three ids without the brackets, or `v` and the id of a Value. */
export function stockLeafKey(prefix: string, table: TableKey, row: string, cell: string): string {
  if (table === VALUES) return `${prefix}v${cell}`;
  return `${prefix}t${JSON.stringify([table, row, cell]).slice(1, -1)}`;
}

/**
 * Lists everything that TinyBase's own server would read as leaves. With an empty prefix, this may include keys of the
 * app: those that begin with `v` and have a value that a Store can hold.
 */
export async function* stockEntries(
  storage: KeyValueStorage,
  prefix: string,
  onUnreadable?: (key: string) => void,
): AsyncGenerator<StockEntry> {
  for await (const [key, stored] of entries(storage, `${prefix}t`)) {
    const [table, row, cell] = cellIds(key.slice(prefix.length + 1)) ?? [];
    const leaf = asLeaf(stored);
    if (table === undefined || row === undefined || cell === undefined) continue;
    if (leaf === undefined) {
      if (typeof stored === 'string') onUnreadable?.(key);
      continue;
    }
    yield { key, leaf, table, row, cell };
  }
  for await (const [key, stored] of entries(storage, `${prefix}v`)) {
    const leaf = asLeaf(stored);
    if (leaf === undefined) {
      if (typeof stored === 'string') onUnreadable?.(key);
      continue;
    }
    yield { key, leaf, table: VALUES, row: '', cell: key.slice(prefix.length + 1) };
  }
}

/**
 * Reads the content that TinyBase's own server left in a storage, and changes nothing. Undefined if it left none. It leaves
 * out texts that begin like a marker (U+FFFC, U+FFFD) and are none: `onUnreadable` gets their keys.
 *
 * With an empty prefix, it also reads a key of the app as a Value if the key begins with `v` and a Store can hold its
 * value. Nothing distinguishes the two, and TinyBase's own server shows it as a Value, too.
 */
export async function readStockContent(
  storage: KeyValueStorage,
  prefix: string,
  onUnreadable?: (key: string) => void,
): Promise<LeafMap<Leaf> | undefined> {
  const marker = stockMarkerKey(prefix);
  if (!(await storage.get([marker])).get(marker)) return undefined;
  const content = new LeafMap<Leaf>();
  for await (const { leaf, table, row, cell } of stockEntries(storage, prefix, onUnreadable)) {
    content.set(table, row, cell, leaf);
  }
  return content;
}

/**
 * Removes what {@link readStockContent} reads. With an empty prefix, Values stay, because keys of the app's cannot be told
 * from them: without the marker, nobody reads them as Values.
 */
export async function removeStockContent(storage: KeyValueStorage, prefix: string): Promise<void> {
  const marker = stockMarkerKey(prefix);
  if (!(await storage.get([marker])).has(marker)) return;
  const keys = [marker];
  for await (const { key, table } of stockEntries(storage, prefix))
    if (table !== VALUES || prefix !== '') keys.push(key);
  await deleteKeys(storage, keys);
}

async function* entries(
  storage: KeyValueStorage,
  prefix: string,
): AsyncGenerator<[string, unknown]> {
  let last: string | undefined;
  for (;;) {
    const page = await storage.list({
      prefix,
      limit: PAGE_LENGTH,
      ...(last !== undefined && { start: last }),
    });
    for (const entry of page) if (entry[0] !== last) yield entry;
    if (page.size < PAGE_LENGTH) return;
    last = [...page.keys()].at(-1);
  }
}

/**
 * Parses the three ids in the key of a Cell, without its prefix and letter. Returns undefined for a key of the app that
 * begins with the same letter.
 */
export function cellIds(text: string): readonly string[] | undefined {
  let ids: unknown;
  try {
    ids = JSON.parse(`[${text}]`);
  } catch {
    return undefined;
  }
  return isStrings(ids) && ids.length === 3 ? ids : undefined;
}

function isStrings(ids: unknown): ids is readonly string[] {
  return Array.isArray(ids) && ids.every((id) => typeof id === 'string');
}

/** Returns undefined for a value that a Store cannot hold, such as a Map or a date: it is the app's own. */
function asLeaf(stored: unknown): Leaf | undefined {
  const isObject = typeof stored === 'object' && stored !== null;
  return isObject && !Array.isArray(stored) && !isPlainObject(stored)
    ? undefined
    : canonicalLeaf(stored);
}

function isPlainObject(stored: object): boolean {
  return Object.getPrototypeOf(stored) === Object.prototype;
}
