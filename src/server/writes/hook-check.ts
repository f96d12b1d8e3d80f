import { ChangesBuilder, deletesRow, type Changes } from '../../protocol/changes.ts';
import { decodeLeaf, VALUES, type Leaf, type StoreLeaf } from '../../protocol/leaf.ts';

import type { LeafEffect, RowEffect, StoreDiff, TableEffect } from './store-diff.ts';
import { callerOf, type AskedOrigin } from '../room/change-origin.ts';
import type { HookAnswer, RoomHooks } from './hooks.ts';

/** The part of changes that the hooks allow. */
export interface Allowed {
  readonly changes: Changes;
  /** True if a hook refused any part. */
  readonly isRefused: boolean;
}

/**
 * Asks the app's hooks about one change. It asks no question twice, so that checking the same change again (`HOOK-4`)
 * asks only what is new, and comes to an end.
 */
export class HookCheck<Origin, RequestOrigin = Origin> {
  readonly #hooks: RoomHooks<Origin | RequestOrigin>;
  readonly #caller: Origin | RequestOrigin;
  readonly #isInitialSave: boolean;
  readonly #answers = new Map<string, HookAnswer>();

  constructor(
    hooks: RoomHooks<Origin | RequestOrigin>,
    origin: AskedOrigin<Origin, RequestOrigin>,
  ) {
    this.#hooks = hooks;
    this.#isInitialSave = origin.type === 'seed';
    this.#caller = callerOf(origin);
  }

  /** Returns the allowed part of `asked`, which would make this difference. Rejects with what a hook throws. */
  async allowed(diff: StoreDiff, asked: Changes): Promise<Allowed> {
    const builder = new ChangesBuilder();
    const answers = await Promise.all([
      ...Array.from(diff.tables, ([table, effect]) => this.#table(builder, asked, table, effect)),
      ...Array.from(diff.values, ([id, effect]) => this.#value(builder, id, effect)),
    ]);
    return answers.every(Boolean)
      ? { changes: asked, isRefused: false }
      : { changes: builder, isRefused: true };
  }

  /** Adds the allowed part of a table to `builder`. Resolves to true if that is all of it. */
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
      // Everything that was asked, because the deletion also removes leaves that would have stayed the same.
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
      this.#hooks.canSetTable?.(table, this.#isInitialSave, this.#caller),
    );
  }

  #canDelTable(table: string): HookAnswer {
    return this.#ask(['canDelTable', table], () => this.#hooks.canDelTable?.(table, this.#caller));
  }

  #canSetRow(table: string, row: string): HookAnswer {
    return this.#ask(['canSetRow', table, row], () =>
      this.#hooks.canSetRow?.(table, row, this.#isInitialSave, this.#caller),
    );
  }

  #canDelRow(table: string, row: string): HookAnswer {
    return this.#ask(['canDelRow', table, row], () =>
      this.#hooks.canDelRow?.(table, row, this.#caller),
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
        this.#hooks.canDelCell?.(table, row, cell, this.#caller),
      );
    }
    return this.#ask(['canSetCell', table, row, cell, after, before], () =>
      this.#hooks.canSetCell?.(
        table,
        row,
        cell,
        decodeLeaf(after),
        this.#isInitialSave,
        this.#caller,
        decode(before),
      ),
    );
  }

  #canChangeValue(id: string, { before, after }: LeafEffect): HookAnswer {
    if (after === undefined) {
      return this.#ask(['canDelValue', id], () => this.#hooks.canDelValue?.(id, this.#caller));
    }
    return this.#ask(['canSetValue', id, after, before], () =>
      this.#hooks.canSetValue?.(
        id,
        decodeLeaf(after),
        this.#isInitialSave,
        this.#caller,
        decode(before),
      ),
    );
  }

  /** Asks each question once. Only a truthy answer allows (`HOOK-6`); a hook that is left out allows, too. */
  #ask(
    question: readonly [
      hook: keyof RoomHooks<Origin | RequestOrigin>,
      ...about: (Leaf | undefined)[],
    ],
    call: () => HookAnswer | undefined,
  ): HookAnswer {
    if (this.#hooks[question[0]] === undefined) return true;
    // JSON writes undefined in an array as null, but null is a leaf, too.
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
