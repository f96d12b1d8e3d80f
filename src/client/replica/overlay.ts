import { ChangesBuilder, changesLeaf, deletesRow, type Changes } from '../../protocol/changes.ts';
import type { Leaf, TableKey } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';

/** The number of the push for edits that wait for saving to start. It comes after every other. */
export const HELD: number = Infinity;

/** Called with every leaf whose view may have changed, and its new view. */
export type ShowLeaf = (leaf: Leaf | undefined, table: TableKey, row: string, cell: string) => void;

interface Write {
  push: number;
  readonly leaf: Leaf | undefined;
}

/** A leaf whose visible state may differ from the room's. Only the overlay changes it. */
export interface Cover {
  /** The leaf of the room. */
  base: Leaf | undefined;
  /** The writes of pending pushes, oldest first. */
  readonly writes: Write[];
  local: LocalOnly | undefined;
}

/** A leaf that is shown here and not sent. */
export interface LocalOnly {
  readonly leaf: Leaf | undefined;
  /**
   * `edit`: the user's. The Store's own code made the others in reaction to a change that it had to show; a `derived` one becomes a push
   * as soon as saving starts (DERIVE-1).
   */
  readonly origin: 'edit' | 'reaction' | 'derived';
}

/**
 * The base, pending and local-only state of the covered leaves: those that may differ from the room's (VIEW-1). It holds
 * nothing about other leaves (VIEW-2), and does not use the Store.
 */
export class Overlay {
  readonly #covers: LeafMap<Cover> = new LeafMap();
  #localOnly = 0;
  /** The pushes that delete a whole row, oldest first, by table and row: they also cover cells that this client has not seen yet. */
  readonly #rowDeletions = new Map<TableKey, Map<string, number[]>>();

  /** True if no leaf is covered. */
  get isEmpty(): boolean {
    return this.#covers.isEmpty && this.#rowDeletions.size === 0;
  }

  /** The number of leaves that are local-only. */
  get localOnly(): number {
    return this.#localOnly;
  }

  /** Returns a covered leaf; undefined for any other leaf. */
  get(table: TableKey, row: string, cell: string): Readonly<Cover> | undefined {
    return this.#covers.get(table, row, cell);
  }

  /** Returns true if the Store's own code made a leaf, the room has none, and no push sets it. */
  isLeftover(table: TableKey, row: string, cell: string): boolean {
    const cover = this.#covers.get(table, row, cell);
    return (
      cover?.local?.origin === 'reaction' && cover.base === undefined && cover.writes.length === 0
    );
  }

  /** Visits every covered leaf. */
  forEach(
    visit: (cover: Readonly<Cover>, table: TableKey, row: string, cell: string) => void,
  ): void {
    this.#covers.forEach(visit);
  }

  /** Returns the derived local-only leaves, as changes, and the view of each without them. */
  derived(): { readonly changes: Changes; readonly before: LeafMap<Leaf | undefined> } {
    const changes = new ChangesBuilder();
    const before = new LeafMap<Leaf | undefined>();
    this.#covers.forEach(({ local, base }, table, row, cell) => {
      if (local?.origin !== 'derived') return;
      changes.setLeaf(table, row, cell, local.leaf);
      before.set(table, row, cell, base);
    });
    return { changes, before };
  }

  /** Puts a push on top. `before` has the earlier view of each leaf that it changes. */
  write(push: number, changes: Changes, before: LeafMap<Leaf | undefined>): void {
    before.forEach((base, table, row, cell) => {
      if (!this.#covers.has(table, row, cell)) this.#cover(table, row, cell, base);
    });
    for (const [table, rows] of changes.deletedRows) {
      for (const row of rows) {
        this.#deleteRow(push, table, row);
        for (const cover of this.#covers.cells(table, row).values())
          this.#write(cover, push, undefined);
      }
    }
    changes.leaves.forEach((leaf, table, row, cell) => {
      const cover = this.#covers.get(table, row, cell);
      if (cover !== undefined) this.#write(cover, push, leaf);
    });
  }

  /** Makes a leaf local-only. */
  setLocal(
    table: TableKey,
    row: string,
    cell: string,
    local: LocalOnly,
    base: Leaf | undefined,
  ): void {
    const cover = this.#covers.get(table, row, cell) ?? this.#cover(table, row, cell, base);
    this.#localise(cover, local);
  }

  /** Ends the local-only state of the leaves of these changes, or of all. `show` gets the new view of each leaf. */
  discardLocal(show: ShowLeaf, changes?: Changes): void {
    const discarded = new LeafMap<Cover>();
    this.#covers.forEach((cover, table, row, cell) => {
      const isMeant = changes === undefined || changesLeaf(changes, table, row, cell);
      if (isMeant && cover.local !== undefined) discarded.set(table, row, cell, cover);
    });
    discarded.forEach((cover, table, row, cell) => {
      this.#localise(cover, undefined);
      show(viewOf(cover), table, row, cell);
      this.#forgetIfDone(cover, table, row, cell);
    });
  }

  /** Gives the held edits their number. */
  renumberHeld(push: number, changes: Changes): void {
    this.#forEachCoverOf(HELD, changes, (cover) => {
      const last = cover.writes.at(-1);
      if (last?.push === HELD) last.push = push;
    });
    for (const [table, rows] of changes.deletedRows) {
      for (const row of rows) {
        const pushes = this.#rowDeletions.get(table)?.get(row);
        if (pushes?.at(-1) === HELD) pushes[pushes.length - 1] = push;
      }
    }
  }

  /** Folds the oldest push into the base (VIEW-4). This changes no view. */
  acknowledge(push: number, changes: Changes): void {
    this.#forEachCoverOf(push, changes, (cover, table, row, cell) => {
      cover.base = cover.writes.shift()?.leaf;
      this.#forgetIfDone(cover, table, row, cell);
    });
    this.#endRowDeletions(push, changes);
  }

  /**
   * Removes a push without folding it (ONCE-4, VIEW-9), and the Store's own reactions to it (LOCAL-2). `told` gets the leaves that had
   * these.
   */
  drop(push: number, changes: Changes, show: ShowLeaf, told?: LeafMap<Leaf | undefined>): void {
    this.#remove(push, changes, (leaf, isLast, cover, table, row, cell) => {
      if (isLast && cover.local?.origin === 'reaction') {
        told?.set(table, row, cell, leaf);
        this.#localise(cover, undefined);
      }
      show(viewOf(cover), table, row, cell);
      this.#forgetIfDone(cover, table, row, cell);
    });
  }

  /** Removes any push. The leaves keep their view and become local-only. */
  localise(push: number, changes: Changes): void {
    this.#remove(push, changes, (leaf, isLast, cover) => {
      if (isLast) this.#localise(cover, cover.local ?? { leaf, origin: 'edit' });
    });
  }

  /** Sets the base of a leaf. The leaf is not local-only any more (LOCAL-2). */
  setBase(
    table: TableKey,
    row: string,
    cell: string,
    leaf: Leaf | undefined,
    show: ShowLeaf,
  ): void {
    const cover = this.#covers.get(table, row, cell);
    if (cover !== undefined) {
      cover.base = leaf;
      this.#localise(cover, undefined);
      show(viewOf(cover), table, row, cell);
      this.#forgetIfDone(cover, table, row, cell);
      return;
    }
    if (this.#rowDeletions.get(table)?.has(row)) {
      this.#cover(table, row, cell, leaf);
      show(undefined, table, row, cell);
    } else show(leaf, table, row, cell);
  }

  /** Returns the covered cells of a row. Do not keep the result across a change. */
  coveredCells(table: TableKey, row: string): Iterable<string> {
    return this.#covers.cells(table, row).keys();
  }

  /** Returns the rows of a table that have covered cells. Do not keep the result across a change. */
  coveredRows(table: TableKey): Iterable<string> {
    return this.#covers.rows(table).keys();
  }

  /** Forgets everything. The Store keeps what it shows. */
  clear(): void {
    this.#covers.clear();
    this.#localOnly = 0;
    this.#rowDeletions.clear();
  }

  /** Begins to cover a leaf. Pending deletions of its row count as its first writes. */
  #cover(table: TableKey, row: string, cell: string, base: Leaf | undefined): Cover {
    const deletions = this.#rowDeletions.get(table)?.get(row) ?? [];
    const writes = deletions.map((push) => ({ push, leaf: undefined }));
    const cover: Cover = { base, writes, local: undefined };
    this.#covers.set(table, row, cell, cover);
    return cover;
  }

  /** A push writes a leaf once: deleting its row and then setting it is one write. Ends local-only (LOCAL-2). */
  #write(cover: Cover, push: number, leaf: Leaf | undefined): void {
    this.#localise(cover, undefined);
    if (cover.writes.at(-1)?.push === push) cover.writes.pop();
    cover.writes.push({ push, leaf });
  }

  #localise(cover: Cover, local: LocalOnly | undefined): void {
    if (cover.local !== undefined) this.#localOnly--;
    if (local !== undefined) this.#localOnly++;
    cover.local = local;
  }

  /** Removes the writes of a push, and visits each with its leaf. `isLast` is true if no other write lay on top of it. */
  #remove(
    push: number,
    changes: Changes,
    visit: (
      leaf: Leaf | undefined,
      isLast: boolean,
      ...at: readonly [Cover, TableKey, string, string]
    ) => void,
  ): void {
    this.#forEachCoverOf(push, changes, (cover, ...at) => {
      const index = cover.writes.findIndex((write) => write.push === push);
      const [removed] = cover.writes.splice(index, 1);
      visit(removed?.leaf, index === cover.writes.length, cover, ...at);
    });
    this.#endRowDeletions(push, changes);
  }

  #forEachCoverOf(
    push: number,
    changes: Changes,
    visit: (cover: Cover, table: TableKey, row: string, cell: string) => void,
  ): void {
    const isWritten = (cover: Cover): boolean => cover.writes.some((write) => write.push === push);
    for (const [table, rows] of changes.deletedRows) {
      for (const row of rows) {
        for (const [cell, cover] of [...this.#covers.cells(table, row)]) {
          if (isWritten(cover)) visit(cover, table, row, cell);
        }
      }
    }
    changes.leaves.forEach((_leaf, table, row, cell) => {
      if (deletesRow(changes, table, row)) return;
      const cover = this.#covers.get(table, row, cell);
      if (cover !== undefined && isWritten(cover)) visit(cover, table, row, cell);
    });
  }

  #deleteRow(push: number, table: string, row: string): void {
    let rows = this.#rowDeletions.get(table);
    if (rows === undefined) this.#rowDeletions.set(table, (rows = new Map<string, number[]>()));
    const pushes = rows.get(row);
    if (pushes === undefined) rows.set(row, [push]);
    else if (pushes.at(-1) !== push) pushes.push(push);
  }

  #endRowDeletions(push: number, changes: Changes): void {
    for (const [table, deletedRows] of changes.deletedRows) {
      const rows = this.#rowDeletions.get(table);
      for (const row of deletedRows) {
        const pushes = rows?.get(row);
        const index = pushes?.indexOf(push) ?? -1;
        if (index >= 0) pushes?.splice(index, 1);
        if (pushes?.length === 0) rows?.delete(row);
      }
      if (rows?.size === 0) this.#rowDeletions.delete(table);
    }
  }

  #forgetIfDone(cover: Cover, table: TableKey, row: string, cell: string): void {
    if (cover.writes.length === 0 && cover.local === undefined)
      this.#covers.delete(table, row, cell);
  }
}

/** Returns the view of a covered leaf: the Store has to show it. */
export function viewOf(cover: Readonly<Cover>): Leaf | undefined {
  if (cover.local !== undefined) return cover.local.leaf;
  const last = cover.writes.at(-1);
  return last === undefined ? cover.base : last.leaf;
}
