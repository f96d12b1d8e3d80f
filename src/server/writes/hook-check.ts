import { ChangesBuilder, deletesRow, type Changes } from '../../protocol/changes.ts';
import { decodeLeaf, VALUES, type Leaf, type StoreLeaf } from '../../protocol/leaf.ts';

import type { LeafEffect, RowEffect, StoreDiff, TableEffect } from './store-diff.ts';
import { callerOf, type AskedOrigin } from '../room/change-origin.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { HookAnswer, RoomHooks } from './hooks.ts';
import { isThenable } from '../room/maybe-promise.ts';

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
export class HookCheck<Connection, Request = Connection> {
  readonly #hooks: RoomHooks<Connection | Request>;
  readonly #caller: Connection | Request;
  readonly #isInitialSave: boolean;
  /** The answers by question; undefined while a hook has not answered. */
  readonly #answers = new Map<string, boolean | undefined>();
  /** The hooks that have not answered, and those that failed. */
  readonly #waiting = new Map<string, Promise<void>>();

  constructor(
    hooks: RoomHooks<Connection | Request>,
    origin: AskedOrigin<Connection, Request>,
    isInitialSave: boolean,
  ) {
    this.#hooks = hooks;
    this.#isInitialSave = isInitialSave;
    this.#caller = callerOf(origin);
  }

  /**
   * Returns the allowed part of `asked`; `diff` is the difference that it would make now. Returns a promise while hooks have not
   * answered: when it resolves, call this again with the difference as of then. If a hook throws, this throws the same, or the promise
   * rejects with it.
   */
  allowed(diff: StoreDiff, asked: Changes): Allowed | Promise<void> {
    const builder = new ChangesBuilder();
    let isWhole = true;
    for (const [table, effect] of diff.tables)
      isWhole = this.#table(builder, asked, table, effect) && isWhole;
    for (const [id, effect] of diff.values) isWhole = this.#value(builder, id, effect) && isWhole;
    if (this.#waiting.size > 0) return Promise.all(this.#waiting.values()).then(ignore);
    return isWhole ? { changes: asked, isRefused: false } : { changes: builder, isRefused: true };
  }

  /** Adds the allowed part of a table to `builder`. Returns true if that is all of it. */
  #table(builder: ChangesBuilder, asked: Changes, table: string, effect: TableEffect): boolean {
    const isAllowed = effect.isEmptied ? this.#canDelTable(table) : this.#canSetTable(table);
    if (isAllowed !== true) return false;
    let isWhole = true;
    for (const [row, rowEffect] of effect.rows)
      isWhole = this.#row(builder, asked, table, row, rowEffect) && isWhole;
    return isWhole;
  }

  #row(
    builder: ChangesBuilder,
    asked: Changes,
    table: string,
    row: string,
    effect: RowEffect,
  ): boolean {
    const isAllowed = effect.isEmptied ? this.#canDelRow(table, row) : this.#canSetRow(table, row);
    if (isAllowed !== true) return false;
    const cells = Array.from(effect.cells, ([cell, cellEffect]) => ({
      cell,
      after: cellEffect.after,
      isAllowed: this.#canChangeCell(table, row, cell, cellEffect) === true,
    }));
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

  #value(builder: ChangesBuilder, id: string, effect: LeafEffect): boolean {
    const isAllowed = this.#canChangeValue(id, effect) === true;
    if (isAllowed) builder.setLeaf(VALUES, '', id, effect.after);
    return isAllowed;
  }

  #canSetTable(table: string): boolean | undefined {
    return this.#ask(['canSetTable', table], () =>
      this.#hooks.canSetTable?.(table, this.#isInitialSave, this.#caller),
    );
  }

  #canDelTable(table: string): boolean | undefined {
    return this.#ask(['canDelTable', table], () => this.#hooks.canDelTable?.(table, this.#caller));
  }

  #canSetRow(table: string, row: string): boolean | undefined {
    return this.#ask(['canSetRow', table, row], () =>
      this.#hooks.canSetRow?.(table, row, this.#isInitialSave, this.#caller),
    );
  }

  #canDelRow(table: string, row: string): boolean | undefined {
    return this.#ask(['canDelRow', table, row], () =>
      this.#hooks.canDelRow?.(table, row, this.#caller),
    );
  }

  #canChangeCell(
    table: string,
    row: string,
    cell: string,
    { before, after }: LeafEffect,
  ): boolean | undefined {
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

  #canChangeValue(id: string, { before, after }: LeafEffect): boolean | undefined {
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

  /**
   * Asks each question once. Only a truthy answer allows (`HOOK-6`); a hook that is left out allows, too. Returns undefined
   * while the hook has not answered.
   */
  #ask(
    question: readonly [
      hook: keyof RoomHooks<Connection | Request>,
      ...about: (Leaf | undefined)[],
    ],
    call: () => HookAnswer | undefined,
  ): boolean | undefined {
    if (this.#hooks[question[0]] === undefined) return true;
    // JSON writes undefined in an array as null, but null is a leaf, too.
    const key = JSON.stringify(question.map((part) => (part === undefined ? [] : part)));
    if (this.#answers.has(key)) return this.#answers.get(key);
    const answer: unknown = call();
    const isSettled = !isThenable(answer);
    this.#answers.set(key, isSettled ? allows(question[0], answer) : undefined);
    if (!isSettled) {
      const settled = this.#settle(key, question[0], answer);
      // It may fail when nobody waits for it any more.
      settled.catch(ignore);
      this.#waiting.set(key, settled);
    }
    return this.#answers.get(key);
  }

  async #settle(key: string, hook: string, answer: unknown): Promise<void> {
    const settled = await Promise.resolve(answer);
    this.#answers.set(key, allows(hook, settled));
    this.#waiting.delete(key);
  }
}

/** Returns true if an answer allows. Throws for an answer that is truthy by mistake, such as a function (`HOOK-6`). */
function allows(hook: string, answer: unknown): boolean {
  const isGenerator =
    typeof answer === 'object' &&
    answer !== null &&
    'next' in answer &&
    typeof answer.next === 'function';
  const isNoAnswer =
    isGenerator ||
    typeof answer === 'function' ||
    answer instanceof Error ||
    answer instanceof Response;
  if (!isNoAnswer) return Boolean(answer);
  const message = `The hook ${hook} gave a function, a generator, an error or a Response, so it refuses: give true or false.`;
  throw new TinyBasePartyKitError('misuse', message);
}

function decode(leaf: Leaf | undefined): StoreLeaf | undefined {
  return leaf === undefined ? undefined : decodeLeaf(leaf);
}

function ignore(): void {}
