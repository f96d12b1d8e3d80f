import { ChangesBuilder, deletesRow, type Changes } from '../../protocol/changes.ts';
import { decodeLeaf, VALUES, type Leaf, type StoreLeaf } from '../../protocol/leaf.ts';

import type { Effects, LeafEffect, RowEffect, TableEffect } from './effects.ts';
import type { HookAnswer, RoomHooks } from './hooks.ts';

/** What the hooks leave of changes. */
export interface Allowed {
  readonly changes: Changes;
  /** True if a hook said no to any part. */
  readonly isRefused: boolean;
}

/**
 * Asks the hooks about one push. A question that was answered is not asked again, so that computing the effects anew
 * (`HOOK-4`) asks only about what is new, and comes to an end.
 */
export class HookRound<Origin> {
  readonly #hooks: RoomHooks<Origin>;
  readonly #origin: Origin;
  readonly #isInitialSave: boolean;
  readonly #answers = new Map<string, HookAnswer>();

  constructor(hooks: RoomHooks<Origin>, origin: Origin, isInitialSave: boolean) {
    this.#hooks = hooks;
    this.#origin = origin;
    this.#isInitialSave = isInitialSave;
  }

  /** What is left of `asked`, which has these effects. Rejects with what a hook throws. */
  async allowed(effects: Effects, asked: Changes): Promise<Allowed> {
    const builder = new ChangesBuilder();
    const answers = await Promise.all([
      ...Array.from(effects.tables, ([table, effect]) =>
        this.#table(builder, asked, table, effect),
      ),
      ...Array.from(effects.values, ([id, effect]) => this.#value(builder, id, effect)),
    ]);
    return answers.every(Boolean)
      ? { changes: asked, isRefused: false }
      : { changes: builder, isRefused: true };
  }

  /** Resolves to true if the whole table was allowed. */
  async #table(
    builder: ChangesBuilder,
    asked: Changes,
    table: string,
    effect: TableEffect,
  ): Promise<boolean> {
    const isAllowed = effect.isEmptied
      ? await this.#canDelTable(table)
      : await this.#canSetTable(table);
    if (!isAllowed) return false;
    const rows = await Promise.all(
      Array.from(effect.rows, ([row, rowEffect]) =>
        this.#row(builder, asked, table, row, rowEffect),
      ),
    );
    return rows.every(Boolean);
  }

  async #row(
    builder: ChangesBuilder,
    asked: Changes,
    table: string,
    row: string,
    effect: RowEffect,
  ): Promise<boolean> {
    const isAllowed = effect.isEmptied
      ? await this.#canDelRow(table, row)
      : await this.#canSetRow(table, row);
    if (!isAllowed) return false;
    const cells = await Promise.all(
      Array.from(effect.cells, async ([cell, cellEffect]) => ({
        cell,
        after: cellEffect.after,
        isAllowed: await this.#canChangeCell(table, row, cell, cellEffect),
      })),
    );
    const isWhole = cells.every((cell) => cell.isAllowed);
    if (isWhole && (effect.isEmptied || deletesRow(asked, table, row))) {
      builder.deleteRow(table, row);
      // All that was asked, and not its effects alone: the deletion takes along what would have stayed the same.
      for (const [cell, leaf] of asked.leaves.cells(table, row))
        builder.setLeaf(table, row, cell, leaf);
    } else {
      for (const { cell, after, isAllowed: isCellAllowed } of cells) {
        if (isCellAllowed) builder.setLeaf(table, row, cell, after);
      }
    }
    return isWhole;
  }

  async #value(builder: ChangesBuilder, id: string, effect: LeafEffect): Promise<boolean> {
    const isAllowed = await this.#canChangeValue(id, effect);
    if (isAllowed) builder.setLeaf(VALUES, '', id, effect.after);
    return isAllowed;
  }

  #canSetTable(table: string): HookAnswer {
    return this.#ask(['canSetTable', table], () =>
      this.#hooks.canSetTable?.(table, this.#isInitialSave, this.#origin),
    );
  }

  #canDelTable(table: string): HookAnswer {
    return this.#ask(['canDelTable', table], () => this.#hooks.canDelTable?.(table, this.#origin));
  }

  #canSetRow(table: string, row: string): HookAnswer {
    return this.#ask(['canSetRow', table, row], () =>
      this.#hooks.canSetRow?.(table, row, this.#isInitialSave, this.#origin),
    );
  }

  #canDelRow(table: string, row: string): HookAnswer {
    return this.#ask(['canDelRow', table, row], () =>
      this.#hooks.canDelRow?.(table, row, this.#origin),
    );
  }

  #canChangeCell(
    table: string,
    row: string,
    cell: string,
    { before, after }: LeafEffect,
  ): HookAnswer {
    if (after === undefined) {
      return this.#ask(['canDelCell', table, row, cell], () =>
        this.#hooks.canDelCell?.(table, row, cell, this.#origin),
      );
    }
    return this.#ask(['canSetCell', table, row, cell, after, before], () =>
      this.#hooks.canSetCell?.(
        table,
        row,
        cell,
        decodeLeaf(after),
        this.#isInitialSave,
        this.#origin,
        decode(before),
      ),
    );
  }

  #canChangeValue(id: string, { before, after }: LeafEffect): HookAnswer {
    if (after === undefined) {
      return this.#ask(['canDelValue', id], () => this.#hooks.canDelValue?.(id, this.#origin));
    }
    return this.#ask(['canSetValue', id, after, before], () =>
      this.#hooks.canSetValue?.(
        id,
        decodeLeaf(after),
        this.#isInitialSave,
        this.#origin,
        decode(before),
      ),
    );
  }

  /** Only a truthy answer allows (`HOOK-6`). A hook that is not there is not asked, and so allows. */
  #ask(
    question: readonly [hook: keyof RoomHooks<Origin>, ...about: (Leaf | undefined)[]],
    call: () => HookAnswer | undefined,
  ): HookAnswer {
    if (this.#hooks[question[0]] === undefined) return true;
    // JSON writes undefined in an array as null, which is a leaf of its own.
    const key = JSON.stringify(question.map((part) => (part === undefined ? [] : part)));
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = call() ?? false;
    this.#answers.set(key, answer);
    return answer;
  }
}

function decode(leaf: Leaf | undefined): StoreLeaf | undefined {
  return leaf === undefined ? undefined : decodeLeaf(leaf);
}
