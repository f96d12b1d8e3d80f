import type { Id, Store } from 'tinybase';

import { VALUES, type TableKey } from '../../../protocol/leaf.ts';
import { LeafMap } from '../../../protocol/leaf-map.ts';
import { readLeaf } from '../../../protocol/store-access.ts';
import type { Aims } from '../../replica/aims.ts';
import { LOCAL, sizeOfWrite, type OwnWrite } from './own-write.ts';
import type { OwnWrites } from './own-writes.ts';

/** The writes that one undo, or one redo, takes back: one for each leaf. */
export class Step {
  /** The id of the checkpoint that the step leads to. */
  readonly id: Id;
  label: string;
  /** When its last transaction was made. */
  time: number;
  readonly #writes = new LeafMap<OwnWrite>();
  /** The number of the first push of the merged writes to a row that have ended: they may have made it and deleted it. */
  readonly #merged = new LeafMap<number>();
  #count = 0;
  #effects = 0;
  #size = 0;

  constructor(id: Id, label: string, time: number) {
    this.id = id;
    this.label = label;
    this.time = time;
  }

  /** True if it has no writes. */
  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** True if there is anything that it can take back now. */
  get hasEffect(): boolean {
    return this.#effects > 0;
  }

  /** Roughly how many characters it keeps. */
  get size(): number {
    return this.#size;
  }

  /** Returns its write of that leaf. */
  writeOf(table: TableKey, row: string, cell: string): OwnWrite | undefined {
    return this.#writes.get(table, row, cell);
  }

  add(write: OwnWrite): void {
    this.#writes.set(write.table, write.row, write.cell, write);
    this.#tally(write, 1);
  }

  remove(write: OwnWrite): void {
    const { table, row, cell, push, firstPush } = write;
    this.#writes.delete(table, row, cell);
    if (firstPush < push)
      this.#merged.set(
        table,
        row,
        '',
        Math.min(firstPush, this.#merged.get(table, row, '') ?? firstPush),
      );
    this.#tally(write, -1);
  }

  /**
   * Returns the leaves that it puts back: those that are still its user's own (UNDO-3). What the room gave with a row that the step made
   * goes, too, if nothing else of the row would be left (UNDO-5).
   */
  aims(store: Store, writes: OwnWrites): Aims {
    const { given } = writes;
    const aims: Aims = new LeafMap();
    this.#writes.forEach(({ before }, ...at) => {
      if (writes.of(...at).at(-1)?.after === readLeaf(store, ...at)) aims.set(...at, before);
    });
    for (const table of given.#writes.tables()) {
      if (table === VALUES) continue;
      for (const row of aims.rows(table).keys()) {
        let firstPush = this.#merged.get(table, row, '') ?? Infinity;
        for (const write of this.#writes.cells(table, row).values())
          if (write.firstPush !== LOCAL) firstPush = Math.min(firstPush, write.firstPush);
        const aimed = aims.cells(table, row);
        const left = [...store.getCellIds(table, row), ...aimed.keys()].filter(
          (cell) => !aimed.has(cell) || aimed.get(cell) !== undefined,
        );
        const isGiven = (cell: string): boolean => {
          const write = given.writeOf(table, row, cell);
          const leaf = aimed.has(cell) ? aimed.get(cell) : readLeaf(store, table, row, cell);
          return write !== undefined && write.after === leaf && write.push >= firstPush;
        };
        if (left.every(isGiven)) for (const cell of left) aims.set(table, row, cell, undefined);
      }
    }
    return aims;
  }

  /** Returns the writes as of now. */
  writes(): readonly OwnWrite[] {
    const writes: OwnWrite[] = [];
    this.#writes.forEach((write) => writes.push(write));
    return writes;
  }

  #tally(write: OwnWrite, sign: 1 | -1): void {
    this.#count += sign;
    if (write.before !== write.after) this.#effects += sign;
    this.#size += sign * sizeOfWrite(write);
  }
}
