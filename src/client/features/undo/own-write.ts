import { idSize, leafSize, type Leaf, type TableKey } from '../../../protocol/leaf.ts';
import type { Step } from './step.ts';

/** The number of the push for edits that stay here: none has it. */
export const LOCAL = 0;

/** One thing that the user's edits did to a leaf. Only `OwnWrites` changes `before`, `after` and `step`: the step counts them. */
export interface OwnWrite {
  readonly table: TableKey;
  readonly row: string;
  readonly cell: string;
  /** The number of the push that has it, HELD for a held edit; that of the last one if several were merged. */
  push: number;
  /** The number of the first of several merged pushes. */
  firstPush: number;
  /** The write of an earlier, pending push that was merged into this one. */
  merged: OwnWrite | undefined;
  /** The leaf that an undo puts back: the one beneath the write, in the room's order. */
  readonly before: Leaf | undefined;
  /** The leaf that a refusal of the write shows again: `before`, or the room's leaf if that was local-only. */
  base: Leaf | undefined;
  /** True if it deleted the row, even if it has set the leaf then. Other edits of its push may have done that, too. */
  readonly isDeletion: boolean;
  /** The leaf that the write left. */
  readonly after: Leaf | undefined;
  /** The step that takes it back; undefined if none does any more. */
  step: Step | undefined;
}

/** Returns roughly how many characters a write keeps. */
export function sizeOfWrite({ table, row, cell, before, after }: OwnWrite): number {
  return idSize(table ?? '') + idSize(row) + leafSize(cell, before) + leafSize(cell, after);
}
