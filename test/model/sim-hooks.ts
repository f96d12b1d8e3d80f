import type { Store } from 'tinybase';

import {
  canonicalLeaf,
  encodeLeaf,
  VALUES,
  type Leaf,
  type TableKey,
} from '../../src/protocol/leaf.ts';
import type { HookAnswer, RoomHooks } from '../../src/server/writes/hooks.ts';
import type { Adversity } from './adversities.ts';
import { PAIR_TABLE } from './edits.ts';
import { leafName } from './leaves.ts';
import type { Occurrence, Source } from './world.ts';

/** How the hooks of a room answer: not at all, at once, later, or also by throwing and by never settling. */
export type HookStyle = 'none' | 'prompt' | 'slow' | 'wild';

/** What a hook thinks of a leaf. Depends on the leaf alone, so that whoever checks can tell, too. */
type Verdict = 'allow' | 'refuse' | 'throw' | 'hang';

function digitsOf(leaf: Leaf): number {
  return Number(String(leaf).replaceAll(/\D/g, '').slice(0, 9) || 0);
}

/** The place of the account of hooks that write. */
const ACCOUNT = ['account', 'hooks', 'asked'] as const;
/** The table in which they keep it in place. */
const COUNTED_TABLE = 'u';
/** The table in which hooks look at the other cells of a row, and the cell that says that the row is locked. */
export const LOCKED_TABLE = 't';
export const LOCK_CELL = 'c';

/** The hooks of the room: some leaves, rows and tables are not to be changed. */
export class SimHooks implements Source {
  readonly style: HookStyle;
  /** Called whenever a hook is asked about a leaf, with what it is told that the leaf was before. */
  onAsked: (
    table: TableKey,
    row: string,
    cell: string,
    old: Leaf | undefined,
    isInitialSave: boolean,
  ) => void = () => undefined;
  /** The value that hooks were told for each leaf that they were asked about. */
  readonly #told = new Map<string, Set<Leaf | undefined>>();
  /** Called right before a hook answers late. */
  onAnswer: () => void = () => undefined;
  /** The room's Store, as hooks have it. */
  store: () => Store | undefined = () => undefined;
  readonly #has: (adversity: Adversity) => boolean;
  readonly #settling: (() => void)[] = [];
  #count = 0;

  constructor(style: HookStyle, has: (adversity: Adversity) => boolean) {
    this.style = style;
    this.#has = has;
  }

  get hooks(): RoomHooks<unknown> {
    if (this.style === 'none') return {};
    return {
      canSetCell: (table, row, cellId, cell, isInitialSave, _origin, old) => {
        this.#noteAsked(table, row, cellId, encodeLeaf(old), isInitialSave);
        this.#write(table, row, cellId);
        if (this.#isLocked(table, row)) return this.#answer('refuse');
        return this.#answer(table === PAIR_TABLE ? 'allow' : this.#verdict(encodeLeaf(cell)));
      },
      canSetValue: (id, value, isInitialSave, _origin, old) => {
        this.#noteAsked(VALUES, '', id, encodeLeaf(old), isInitialSave);
        return this.#answer(this.#verdict(encodeLeaf(value)));
      },
      canDelRow: (table, row) =>
        this.#answer(this.keeps(table, row, '', true) ? 'refuse' : 'allow'),
      canDelCell: (table, row, cell) =>
        this.#answer(
          this.#isLocked(table, row) || this.keeps(table, row, cell, false) ? 'refuse' : 'allow',
        ),
      canDelValue: (id) => this.#answer(this.keeps(VALUES, '', id, false) ? 'refuse' : 'allow'),
    };
  }

  /** The number of times that hooks have written to the Store. */
  get writes(): number {
    return this.#count;
  }

  /** True while a hook has not settled that will. */
  get isAsked(): boolean {
    return this.#settling.length > 0;
  }

  /** True if a room with these hooks may refuse a push that sets that leaf. */
  mayRefuse(leaf: Leaf): boolean {
    return this.#verdict(leaf) !== 'allow';
  }

  /** True if a room with these hooks may refuse a whole push because of that leaf. */
  mayFail(leaf: Leaf): boolean {
    const verdict = this.#verdict(leaf);
    return verdict === 'throw' || verdict === 'hang';
  }

  /** True if a room with these hooks never deletes that leaf for a peer, or never empties its row. */
  keeps(table: TableKey, row: string, cell: string, isEmptied: boolean): boolean {
    if (this.style === 'none') return false;
    if (table === VALUES) return cell === 'w';
    return table === 'u' && (cell === 'c' || (isEmptied && row === 's'));
  }

  /** True if hooks say that by what the room's Store holds of that row. */
  mayLock(table: TableKey): boolean {
    return this.#has('hooks-depend') && table === LOCKED_TABLE;
  }

  /** True if hooks were asked about that leaf when it was that (HOOK-4). */
  wereTold(table: TableKey, row: string, cell: string, old: Leaf | undefined): boolean {
    return this.style === 'none' || this.#told.get(leafName(table, row, cell))?.has(old) === true;
  }

  #noteAsked(...[table, row, cell, old, isInitialSave]: Parameters<SimHooks['onAsked']>): void {
    const name = leafName(table, row, cell);
    const told = this.#told.get(name) ?? new Set();
    this.#told.set(name, told.add(old));
    this.onAsked(table, row, cell, old, isInitialSave);
  }

  /** The process dies, and all questions with it. */
  forget(): void {
    this.#settling.length = 0;
  }

  *occurrences(): Iterable<Occurrence> {
    if (this.#settling.length === 0) return;
    yield { label: 'hook', weight: 3, happen: () => this.#settle() };
  }

  /**
   * A hook that keeps count in the room's own Store: apart, or in the very cell that it is asked about. Not there if listeners
   * of the clients answer each change of it: then app and hook answer each other for ever (docs/api.md).
   */
  #write(table: string, row: string, cell: string): void {
    const store = this.store();
    if (!this.#has('hooks-write') || store === undefined || !store.hasTables()) return;
    this.#count += 1;
    const isInCell = table === COUNTED_TABLE && !this.#has('competing-listeners');
    if (isInCell) store.setCell(table, row, cell, `asked ${this.#count}`);
    else store.setCell(...ACCOUNT, this.#count);
  }

  #isLocked(table: TableKey, row: string): boolean {
    return this.mayLock(table) && this.store()?.getCell(LOCKED_TABLE, row, LOCK_CELL) === null;
  }

  #settle(): void {
    this.onAnswer();
    this.#settling.shift()?.();
  }

  #verdict(leaf: Leaf): Verdict {
    if (this.style === 'none' || canonicalLeaf(leaf) === undefined) return 'allow';
    const digits = digitsOf(leaf);
    if (this.style === 'wild' && digits % 13 === 1) return 'throw';
    if (this.style === 'wild' && digits % 17 === 1) return 'hang';
    return digits % 5 === 1 ? 'refuse' : 'allow';
  }

  #answer(verdict: Verdict): HookAnswer {
    if (verdict === 'hang') return new Promise(() => undefined);
    if (verdict === 'throw') throw new Error('A hook of the app threw.');
    const isAllowed = verdict === 'allow';
    if (this.style === 'prompt') return isAllowed;
    return new Promise((resolve) => this.#settling.push(() => resolve(isAllowed)));
  }
}
