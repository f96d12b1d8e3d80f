import {
  canonicalLeaf,
  encodeLeaf,
  VALUES,
  type Leaf,
  type TableKey,
} from '../../src/protocol/leaf.ts';
import type { HookAnswer, RoomHooks } from '../../src/server/writes/hooks.ts';
import { PAIR_TABLE } from './edits.ts';
import type { Occurrence, Source } from './world.ts';

/** How the hooks of a room answer: not at all, at once, later, or also by throwing and by never settling. */
export type HookStyle = 'none' | 'prompt' | 'slow' | 'wild';

/** What a hook thinks of a leaf. Depends on the leaf alone, so that whoever checks can tell, too. */
type Verdict = 'allow' | 'refuse' | 'throw' | 'hang';

function digitsOf(leaf: Leaf): number {
  return Number(String(leaf).replaceAll(/\D/g, '').slice(0, 9) || 0);
}

/** The hooks of the room: some leaves, rows and tables are not to be changed. */
export class SimHooks implements Source {
  readonly style: HookStyle;
  /** Called whenever a hook is asked about a leaf, with what it is told that the leaf was before. */
  onAsked: (table: TableKey, row: string, cell: string, old: Leaf | undefined) => void = () =>
    undefined;
  readonly #settling: (() => void)[] = [];

  constructor(style: HookStyle) {
    this.style = style;
  }

  get hooks(): RoomHooks<unknown> {
    if (this.style === 'none') return {};
    return {
      canSetCell: (table, row, cellId, cell, _isInitial, _origin, old) => {
        this.onAsked(table, row, cellId, encodeLeaf(old));
        return this.#answer(table === PAIR_TABLE ? 'allow' : this.#verdict(encodeLeaf(cell)));
      },
      canSetValue: (id, value, _isInitial, _origin, old) => {
        this.onAsked(VALUES, '', id, encodeLeaf(old));
        return this.#answer(this.#verdict(encodeLeaf(value)));
      },
      canDelRow: (table, row) =>
        this.#answer(this.keeps(table, row, '', true) ? 'refuse' : 'allow'),
      canDelCell: (table, row, cell) =>
        this.#answer(this.keeps(table, row, cell, false) ? 'refuse' : 'allow'),
      canDelValue: (id) => this.#answer(this.keeps(VALUES, '', id, false) ? 'refuse' : 'allow'),
    };
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

  /** The process dies, and all questions with it. */
  forget(): void {
    this.#settling.length = 0;
  }

  *occurrences(): Iterable<Occurrence> {
    if (this.#settling.length === 0) return;
    yield { label: 'hook', weight: 3, happen: () => this.#settling.shift()?.() };
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
