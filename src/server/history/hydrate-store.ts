import type { Store } from 'tinybase';

import { ChangesBuilder } from '../../protocol/changes.ts';
import { encodeContent } from '../../protocol/codec.ts';
import { VALUES, type Leaf } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import {
  holdsJust,
  isEmptyStore,
  readContent,
  readLeaf,
  writeLeaf,
  type TransactionLog,
} from '../../protocol/store-access.ts';

import type { RoomParts } from '../room/room-parts.ts';
import { measureContent, type ContentSize } from '../writes/content-size.ts';

const NOTHING = new LeafMap<Leaf>();

/** The result of bringing content into the room's Store. */
export interface Hydrated {
  readonly contentSize: ContentSize;
  /** The changes that the Store and the app's `prepareStore` made to the content, in order. Each becomes a commit. */
  readonly made: readonly TransactionLog[];
}

type HydrationParts<Connection, Request> = Pick<
  RoomParts<Connection, Request>,
  'observed' | 'writer' | 'settings' | 'unsendableLeaves'
>;

/**
 * Fills the room's Store with the stored content. The first time, the Store is bare, and the app prepares it then. After a failed
 * write, it is the same Store, because the app holds it.
 */
export class StoreHydration<Connection, Request> {
  readonly #parts: HydrationParts<Connection, Request>;
  #isPrepared = false;
  /** The content that `prepareStore` put into a Store that waits for its initial content. */
  #prepared = new LeafMap<Leaf>();
  /** Transactions of the app while it prepares the Store. */
  #made: TransactionLog[] | undefined;

  constructor(parts: HydrationParts<Connection, Request>) {
    this.#parts = parts;
  }

  /** True once `prepareStore` has prepared the Store. */
  get isPrepared(): boolean {
    return this.#isPrepared;
  }

  /** Takes a transaction of the app. Returns true if it belongs to a preparation. */
  claims(log: TransactionLog): boolean {
    this.#made?.push(log);
    return this.#made !== undefined;
  }

  /**
   * Brings in that content; undefined if the room has no Store yet. Returns `busy`, having done nothing, while a
   * transaction is open. Throws what `prepareStore` throws, and then prepares a new Store at the next call.
   */
  hydrate(content: LeafMap<Leaf> | undefined): Hydrated | 'busy' {
    const { observed, writer, unsendableLeaves } = this.#parts;
    const { store } = observed;
    const isFirst = !this.#isPrepared;
    if (!writer.isFree()) return 'busy';
    const target = content ?? this.#prepared;
    const taken = unsendableLeaves.leaveOut(target);
    const early = isFirst ? readContent(store) : NOTHING;
    const applied = writer.applyUnlogged(() => {
      if (!isFirst) resetStore(store, taken);
      else if (content !== undefined) fillStore(store, taken);
    });
    if (applied === 'busy') return 'busy';
    const isCompared = content !== undefined || applied.error !== undefined;
    const difference = isCompared ? differenceFrom(store, target) : undefined;
    // A change that was rolled back would count as deleted.
    const isRolledBack =
      applied.error !== undefined &&
      difference !== undefined &&
      (taken === target || differenceFrom(store, taken) !== undefined);
    if (isRolledBack) {
      const message =
        "A listener or middleware of the room's Store threw while the stored content was loaded: let it pass.";
      throw new Error(message, { cause: applied.error });
    }
    const made = difference === undefined ? [] : [difference];
    if (isFirst) made.push(...this.#prepare(early));
    if (content !== undefined) return { contentSize: measureContent(target), made };
    if (isFirst) this.#prepared = readContent(store);
    return { contentSize: { length: 0, leaves: 0 }, made: [] };
  }

  /** `early` is what the app put into the Store before it was hydrated. */
  #prepare(early: LeafMap<Leaf>): readonly TransactionLog[] {
    const { observed, settings, writer } = this.#parts;
    const made: TransactionLog[] = [];
    // Listeners and schemas of an early app cannot be carried over.
    const { isBare } = observed;
    this.#made = made;
    try {
      settings.prepareStore(observed.store);
    } catch (error) {
      // The next attempt adds its listeners again, and begins with what was there before this one.
      if (isBare) observed.renew((store) => setLeaves(store, early));
      else writer.applyUnlogged(() => resetStore(observed.store, early));
      throw error;
    } finally {
      this.#made = undefined;
    }
    this.#isPrepared = true;
    return made;
  }
}

/**
 * Puts content into a Store that holds nothing of a room yet. What an early app put there stays where the content says
 * nothing of it. Call it in a transaction.
 */
export function fillStore(store: Store, content: LeafMap<Leaf>): void {
  const isEmpty = isEmptyStore(store);
  if (isEmpty && !store.hasTablesSchema() && !store.hasValuesSchema()) {
    content.forEach((leaf, table, row, cell) => writeLeaf(store, table, row, cell, leaf));
    return;
  }
  // As a whole, so that a schema adds its defaults even to rows whose cells it all refuses. This call hides errors.
  if (isEmpty) store.setJson(encodeContent(content));
  if (!holdsJust(store, content)) setLeaves(store, content);
}

/** Makes a Store hold that content and nothing else, changing as little as possible. Call it in a transaction. */
export function resetStore(store: Store, content: LeafMap<Leaf>): void {
  readContent(store).forEach((_leaf, table, row, cell) => {
    if (table !== VALUES && !content.rows(table).has(row)) store.delRow(table, row);
    else if (!content.has(table, row, cell)) writeLeaf(store, table, row, cell, undefined);
  });
  setLeaves(store, content);
}

function setLeaves(store: Store, content: LeafMap<Leaf>): void {
  content.forEach((leaf, table, row, cell) => {
    if (readLeaf(store, table, row, cell) !== leaf) writeLeaf(store, table, row, cell, leaf);
  });
}

/** Returns the difference of the Store from content that was put into it; undefined if there is none. */
export function differenceFrom(store: Store, content: LeafMap<Leaf>): TransactionLog | undefined {
  if (holdsJust(store, content)) return undefined;
  const changes = new ChangesBuilder();
  const before = new LeafMap<Leaf | undefined>();
  const now = readContent(store);
  content.forEach((leaf, table, row, cell) => {
    const held = now.get(table, row, cell);
    if (held === leaf) return;
    before.set(table, row, cell, leaf);
    if (table !== VALUES && now.cells(table, row).size === 0) changes.deleteRow(table, row);
    else changes.setLeaf(table, row, cell, held);
  });
  now.forEach((leaf, table, row, cell) => {
    if (content.has(table, row, cell)) return;
    before.set(table, row, cell, undefined);
    changes.setLeaf(table, row, cell, leaf);
  });
  if (changes.isEmpty) return undefined;
  const ids = [...idsWithout(now, content, 1), ...idsWithout(content, now, -1)];
  return { changes, before, ids, refused: new LeafMap() };
}

/** Returns the ids of the tables and rows of a content that another content does not have, each with `change`. */
function* idsWithout(
  content: LeafMap<Leaf>,
  other: LeafMap<Leaf>,
  change: number,
): Generator<readonly [string, number]> {
  for (const table of content.tables()) {
    if (table === VALUES) continue;
    if (other.rows(table).size === 0) yield [table, change];
    for (const row of content.rows(table).keys())
      if (other.cells(table, row).size === 0) yield [row, change];
  }
}
