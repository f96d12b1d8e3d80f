import type { Store } from 'tinybase';

import { ENCODED, type Leaf } from '../../src/protocol/leaf.ts';
import type { LeafMap } from '../../src/protocol/leaf-map.ts';
import { readContent } from '../../src/protocol/store-access.ts';
import type { Choices } from './choices.ts';
import { differences } from './leaves.ts';

/** A space so small that everybody is always in everybody's way. */
const TABLES = ['t', 'u'] as const;
const ROWS = ['r', 's'] as const;
const ODD_ROW = '__proto__';
const CELLS = ['a', 'b', 'c'] as const;
const VALUE_IDS = ['v', 'w'] as const;

/** Rows whose two cells are only ever written together: seen apart, a transaction was torn. */
export const PAIR_TABLE = 'pair';
export const PAIR_ROWS: readonly string[] = ['p', 'q'];
export const PAIR_CELLS: readonly [string, string] = ['left', 'right'];

/** Numbers at least this large are what mutator listeners and schemas in these histories change. */
export const LARGE = 1_000_000;

/** What text of these histories begins with that stands for an object which only its writer can read. */
const UNREADABLE = 'unreadable';
const POISON = 'poison';

/** True if a room that can die of it dies of the push with that JSON. Listeners make some texts upper case. */
export function isPoison(json: string): boolean {
  return json.toLowerCase().includes(POISON);
}

/** A leaf of its own, and not a part of what a listener made of one. */
const WRITTEN = new RegExp(`(?<!\\\\)"${UNREADABLE}(?=\\d+")`, 'g');

/** What a client sent, as the room's engine reads it. */
export function asRead(text: string): string {
  return text.replaceAll(WRITTEN, `"${ENCODED}{`);
}

/** Makes leaves that no other edit of the history makes. */
export class UniqueLeaves {
  #count = 0;

  /** True: some of them are as large as they can be without parts, or larger. */
  isHeavy = false;
  /** True: some of them are such as the room cannot read in a push of a client. */
  hasUnreadable = false;

  /** The number of unique leaves. */
  get count(): number {
    return this.#count;
  }

  /** So many were made before. */
  begin(count: number): void {
    this.#count = count;
  }

  number(): number {
    return (this.#count += 1);
  }

  /** A leaf at which the room dies, if it has such. */
  poison(): string {
    return `${POISON}${this.number()}`;
  }

  leaf(choices: Choices): string | number | boolean | null | object {
    const number = this.number();
    switch (choices.below(12)) {
      case 0:
        return { of: number };
      case 1:
        return [number];
      case 2:
        return null;
      case 3:
        return number % 2 === 0;
      case 4:
        return number + LARGE;
      case 5:
        return choices.percent(30)
          ? `l${number}${'-'.repeat(this.isHeavy ? 30_000 + choices.below(60_000) : 100 + choices.below(400))}`
          : `s${number}`;
      case 6:
      case 7:
        return `s${number}`;
      case 8:
        return this.hasUnreadable ? `${UNREADABLE}${number}` : `no${number}`;
      default:
        return number;
    }
  }
}

/**
 * False if a rollback would not bring back what there was: TinyBase 10.0.1 forgets objects and arrays that a
 * transaction which is rolled back has changed.
 */
export function mayRollBack(store: Store, before: LeafMap<Leaf>): boolean {
  return differences(before, readContent(store)).every(
    ({ left }) => typeof left !== 'string' || !left.startsWith(ENCODED),
  );
}

/** True if one edit alone can have made that leaf: no default, no name, nothing of which there are few, and no listener. */
export function isUnique(leaf: Leaf | undefined): boolean {
  if (typeof leaf === 'number') return leaf > 0;
  return typeof leaf === 'string' && /\d/.test(leaf) && !/^(?:client|stamp)/.test(leaf);
}

type Edit = (store: Store, choices: Choices, unique: UniqueLeaves) => void;

function row(choices: Choices): string {
  return choices.percent(8) ? ODD_ROW : choices.pick(ROWS);
}

function setPair(store: Store, choices: Choices, unique: UniqueLeaves): void {
  const pairRow = choices.pick(PAIR_ROWS);
  const number = unique.number();
  store.transaction(() => {
    for (const cell of PAIR_CELLS) store.setCell(PAIR_TABLE, pairRow, cell, number);
  });
}

const setCell: Edit = (store, choices, unique) => {
  store.setCell(
    choices.pick(TABLES),
    row(choices),
    choices.pick(CELLS),
    unique.leaf(choices) as string,
  );
};

/** What a user can do to a Store in one call, each so many times. */
const EDITS: readonly (readonly [number, Edit])[] = [
  [8, setCell],
  [
    3,
    (store, choices) =>
      store.delCell(choices.pick(TABLES), row(choices), choices.pick(CELLS), choices.percent(50)),
  ],
  [
    2,
    (store, choices, unique) =>
      store.setRow(choices.pick(TABLES), row(choices), {
        a: unique.number(),
        b: `s${unique.number()}`,
      }),
  ],
  [3, (store, choices) => store.delRow(choices.pick(TABLES), row(choices))],
  [1, (store, choices) => store.delTable(choices.pick(TABLES))],
  [
    3,
    (store, choices, unique) =>
      store.setValue(choices.pick(VALUE_IDS), unique.leaf(choices) as string),
  ],
  [1, (store, choices) => store.delValue(choices.pick(VALUE_IDS))],
  [3, setPair],
  [1, (store, choices) => store.delRow(PAIR_TABLE, choices.pick(PAIR_ROWS))],
  [
    2,
    (store, choices, unique) => {
      const table = choices.pick(TABLES);
      const rowId = row(choices);
      store.transaction(() => {
        store.delRow(table, rowId);
        store.setCell(table, rowId, choices.pick(CELLS), unique.leaf(choices) as string);
      });
    },
  ],
  [
    1,
    (store, choices, unique) => {
      const cell = choices.pick(CELLS);
      store.transaction(() => {
        store.setCell('t', 'r', cell, unique.number());
        store.delCell('t', 'r', cell, true);
      });
    },
  ],
  [
    1,
    (store, choices, unique) => {
      const content = readContent(store);
      store.transaction(
        () => setCell(store, choices, unique),
        () => mayRollBack(store, content),
      );
    },
  ],
];

const TOTAL = EDITS.reduce((total, [weight]) => total + weight, 0);

function pickEdit(choices: Choices): Edit {
  let lot = choices.below(TOTAL);
  for (const [weight, candidate] of EDITS) {
    lot -= weight;
    if (lot < 0) return candidate;
  }
  return setCell;
}

/** One transaction of a user: one call, or several. May throw what a listener throws. */
export function edit(store: Store, choices: Choices, unique: UniqueLeaves): void {
  if (choices.percent(75)) {
    pickEdit(choices)(store, choices, unique);
    return;
  }
  store.transaction(() => {
    for (let count = 2 + choices.below(3); count > 0; count -= 1)
      pickEdit(choices)(store, choices, unique);
  });
}
