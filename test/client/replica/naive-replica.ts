import {
  ALL_ROWS,
  ChangesBuilder,
  composeChanges,
  type Changes,
} from '../../../src/protocol/changes.ts';
import { encodeChanges } from '../../../src/protocol/codec.ts';
import { VALUES, type Leaf, type TableKey } from '../../../src/protocol/leaf.ts';
import type { LeafMap } from '../../../src/protocol/leaf-map.ts';

/** Content, or part of it, by the JSON of its addresses. */
export type Flat<T = Leaf> = Map<string, T>;

/** The position of a leaf. */
export type Address = readonly [TableKey, string, string];

/** The address that a key of {@link Flat} stands for. */
export function addressOf(key: string): Address {
  return JSON.parse(key) as Address;
}

/** Leaves as a flat map. */
export function flat<T>(leaves: LeafMap<T>): Flat<T> {
  const map: Flat<T> = new Map();
  leaves.forEach((leaf, ...address) => map.set(JSON.stringify(address), leaf));
  return map;
}

/** The form in which equal maps are equal. */
export function sorted<T>(map: Flat<T>): readonly (readonly [string, T])[] {
  return [...map].sort(([one], [other]) => (one < other ? -1 : 1));
}

/** The content that changes make of content. */
export function apply(content: Flat, changes: Changes): Flat {
  const result: Flat = new Map();
  for (const [key, leaf] of content) if (!isInDeletedRow(key, changes)) result.set(key, leaf);
  for (const [key, leaf] of flat(changes.leaves)) {
    if (leaf === undefined) result.delete(key);
    else result.set(key, leaf);
  }
  return result;
}

/** The changes that make one content of another, as a client says them: an emptied row is a deleted row. */
function difference(before: Flat, after: Flat): Changes {
  const builder = new ChangesBuilder();
  const kept = new Set([...after.keys()].map(rowOf));
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [table, row, cell] = addressOf(key);
    if (before.get(key) === after.get(key)) continue;
    if (table !== VALUES && !kept.has(rowOf(key))) builder.deleteRow(table, row);
    else builder.setLeaf(table, row, cell, after.get(key));
  }
  return builder;
}

function rowOf(key: string): string {
  const [table, row] = addressOf(key);
  return JSON.stringify([table, row]);
}

function isInDeletedRow(key: string, { deletedRows }: Changes): boolean {
  const [table, row] = addressOf(key);
  const rows = table === VALUES ? undefined : deletedRows.get(table);
  return rows !== undefined && (rows === ALL_ROWS || rows.has(row));
}

/** The leaves that changes touch: those they name, and those they find in the rows that they delete. */
function touched(changes: Changes, beneath: Iterable<string>): Set<string> {
  const keys = new Set(flat(changes.leaves).keys());
  for (const key of beneath) if (isInDeletedRow(key, changes)) keys.add(key);
  return keys;
}

/** VIEW-1, said as simply as can be: everything is kept whole, and the view is computed anew each time. */
export class NaiveReplica {
  base: Flat = new Map();
  pending: { readonly number: number; changes: Changes }[] = [];
  held: Changes | undefined;
  local: Flat<Leaf | undefined> = new Map();
  isSaving: boolean = false;
  pushBytes: number = Infinity;
  lastNumber: number = 0;

  view(): Flat {
    let view = this.#viewBelowLocal();
    for (const [key, leaf] of this.local) {
      view = new Map(view);
      if (leaf === undefined) view.delete(key);
      else view.set(key, leaf);
    }
    return view;
  }

  edited(after: Flat): void {
    const before = this.view();
    const changes = difference(before, after);
    const encoded = encodeChanges(changes);
    if (encoded === '[{},{}]') return;
    if (this.isSaving && Buffer.byteLength(encoded) > this.pushBytes) {
      for (const key of touched(changes, before.keys())) this.local.set(key, after.get(key));
      return;
    }
    this.#endLocal(changes);
    if (this.isSaving) this.pending.push({ number: ++this.lastNumber, changes });
    else this.held = composeChanges(this.held === undefined ? [changes] : [this.held, changes]);
  }

  release(): void {
    const { held } = this;
    if (held === undefined) return;
    if (Buffer.byteLength(encodeChanges(held)) > this.pushBytes) {
      const below = this.#viewOf(this.pending.map(({ changes }) => changes));
      const above = this.#viewBelowLocal();
      for (const key of touched(held, below.keys())) {
        if (!this.local.has(key)) this.local.set(key, above.get(key));
      }
    } else this.pending.push({ number: ++this.lastNumber, changes: held });
    this.held = undefined;
  }

  acknowledge(correction: Changes | undefined): void {
    const push = this.pending.shift();
    if (push !== undefined) this.base = apply(this.base, push.changes);
    if (correction !== undefined) this.commit(correction);
  }

  commit(changes: Changes): void {
    this.#endLocal(changes);
    this.base = apply(this.base, changes);
  }

  catchUp(content: Flat | undefined, lastPush: number, changes: Changes | undefined): void {
    this.pending = this.pending.filter(({ number }) => number > lastPush);
    this.lastNumber = Math.max(this.lastNumber, lastPush);
    if (content !== undefined) {
      for (const key of this.local.keys()) {
        if (content.get(key) !== this.base.get(key)) this.local.delete(key);
      }
      this.base = new Map(content);
    }
    if (changes !== undefined) this.commit(changes);
  }

  withdraw(index: number): void {
    const push = this.pending[index];
    if (push === undefined) return;
    const before = this.pending.slice(0, index).map(({ changes }) => changes);
    const after = this.pending.slice(index + 1).map(({ changes }) => changes);
    if (this.held !== undefined) after.push(this.held);
    const below = this.#viewOf(before);
    const pushed = apply(below, push.changes);
    const later = after.map((changes) =>
      touched(changes, new Set([...below.keys(), ...pushed.keys()])),
    );
    for (const key of touched(push.changes, below.keys())) {
      const isOver = later.some((keys) => keys.has(key));
      if (!isOver && !this.local.has(key)) this.local.set(key, pushed.get(key));
    }
    push.changes = new ChangesBuilder();
  }

  #endLocal(changes: Changes): void {
    for (const key of touched(changes, this.local.keys())) this.local.delete(key);
  }

  #viewBelowLocal(): Flat {
    const all = this.pending.map(({ changes }) => changes);
    if (this.held !== undefined) all.push(this.held);
    return this.#viewOf(all);
  }

  #viewOf(all: readonly Changes[]): Flat {
    let view = this.base;
    for (const changes of all) view = apply(view, changes);
    return view;
  }
}
