import type { Store } from 'tinybase';

import {
  addChanges,
  ChangesBuilder,
  isEmptyChanges,
  type Changes,
} from '../../protocol/changes.ts';
import { encodeChanges } from '../../protocol/codec.ts';
import { findDeepLeaves, withoutLeaves } from '../../protocol/deep-leaves.ts';
import type { Leaf, TableKey } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import { ObservedStore } from '../../protocol/observed-store.ts';
import { readContent, readLeaf, type TransactionLog } from '../../protocol/store-access.ts';
import { utf8Length } from '../../protocol/utf8.ts';
import { aimAt, leavesNotTaken, writeAims, type Aims } from './aims.ts';
import { BaseFolder } from './base-folder.ts';
import { EarlyEdits } from './early-edits.ts';
import { HELD, Overlay } from './overlay.ts';
import { Reaction } from './reaction.ts';
import { refusalOf, refusalsOf, type Refusal, type RefusalReason } from './refusal.ts';
import { StoreClaim } from './store-claim.ts';

/** A transaction that waits for its ack. */
export interface PendingPush {
  readonly number: number;
  readonly changes: Changes;
  /** The changes, encoded once. */
  readonly encoded: string;
  /** Set if the Store made it of a commit, and no user did (DERIVE-1). */
  readonly isDerived?: true | undefined;
}

/** What a replica tells its owner. None of these may throw or write to the Store. */
export interface ReplicaEvents {
  /** There is a new pending push, or another held edit. */
  readonly onPending: () => void;
  readonly onRefused: (refusals: readonly Refusal[]) => void;
  /** A listener or middleware of the app threw while something was applied; the bookkeeping is complete. */
  readonly onError: (error: unknown) => void;
}

/**
 * A Store that shows the room's content with the edits made here on top (VIEW-1 to VIEW-8). Synchronous; knows
 * neither versions nor sockets. Whoever owns it calls the folding methods in the room's order.
 */
export class Replica {
  /** The claim to the Store. While another persister has it, edits are not for this one. */
  readonly claim: StoreClaim;
  readonly #observed: ObservedStore;
  readonly #overlay = new Overlay();
  readonly #folder: BaseFolder;
  readonly #events: ReplicaEvents;
  readonly #early = new EarlyEdits();
  #hasMetContent = false;
  #pending: PendingPush[] = [];
  #held: ChangesBuilder | undefined;
  #lastNumber = 0;
  #isSaving = false;
  #isFollowing = false;
  #isTracking = false;
  #pushBytes = Infinity;

  constructor(store: Store, events: ReplicaEvents) {
    this.#events = events;
    this.claim = new StoreClaim(store);
    this.#observed = new ObservedStore(store, (log) => this.#edited(log));
    this.#folder = new BaseFolder(store, this.#overlay);
  }

  get store(): Store {
    return this.#observed.store;
  }

  /** Pushes that were not answered yet, oldest first. */
  get pending(): readonly PendingPush[] {
    return this.#pending;
  }

  /** True if there are edits that wait for saving to start (VIEW-8). */
  get hasHeld(): boolean {
    return this.#held !== undefined;
  }

  /** True if there are edits that were made before anything was started, and no content has answered yet (SEED-5). */
  get hasEarly(): boolean {
    return this.#early.isAny;
  }

  /** These leaves of the seed are reported for another reason: the room refused them, or none can take them. */
  seedRefused(leaves: LeafMap<Leaf | undefined>): void {
    this.#early.forget(leaves);
  }

  /** Edits that wait for saving to start, as the one push that they will be (VIEW-8). */
  get held(): Changes | undefined {
    return this.#held;
  }

  /** What is shown of leaves that are local-only (LOCAL-2). */
  localOnlyLeaves(): LeafMap<{ readonly leaf: Leaf | undefined }> {
    const local = new LeafMap<{ readonly leaf: Leaf | undefined }>();
    this.#overlay.forEachLocal((leaf, table, row, cell) => local.set(table, row, cell, { leaf }));
    return local;
  }

  /** How many leaves are local-only (LOCAL-2). */
  get localOnly(): number {
    return this.#overlay.localOnly;
  }

  /** True if the Store shows what the room holds and nothing else; then nothing is kept beside it (VIEW-2). */
  get isPlain(): boolean {
    return this.#overlay.isEmpty;
  }

  /** The number of the oldest pending push, or the one that the next push will have. */
  get nextPush(): number {
    return this.#pending[0]?.number ?? this.#lastNumber + 1;
  }

  /** The highest push number given out. */
  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** Edits made from now on are the user's; what the Store holds is a seed at most (SEED-3). */
  startTracking(): void {
    this.#isTracking = true;
  }

  /** Whether remote changes are shown. While they are not, only leaves covered by pending pushes are kept true. */
  setFollowing(isFollowing: boolean): void {
    this.#isFollowing = isFollowing;
  }

  /** Whether edits become pushes at once. Starting makes one push of what was held. */
  setSaving(isSaving: boolean): void {
    this.#isSaving = isSaving;
    if (!isSaving) return;
    this.releaseHeld();
    const { changes, before } = this.#overlay.derived();
    if (!isEmptyChanges(changes)) this.#push(changes, before, { isDerived: true });
  }

  /** A push larger than this, in UTF-8 bytes of its changes, becomes local-only (ONCE-7). */
  limitPushes(bytes: number): void {
    this.#pushBytes = bytes;
  }

  /** Makes one push of the edits that are held, if there are any. */
  releaseHeld(): void {
    const changes = this.#held;
    if (changes === undefined) return;
    this.#held = undefined;
    const encoded = encodeChanges(changes);
    if (this.#isTooLarge(encoded)) {
      this.#overlay.localise(HELD, changes);
      this.#events.onRefused(refusalsOf(changes, 'too-large'));
      return;
    }
    const number = ++this.#lastNumber;
    this.#overlay.renumberHeld(number, changes);
    this.#pending.push({ number, changes, encoded });
    this.#events.onPending();
  }

  /**
   * The room's content as far as it is known: what is visible, without edits made here (SEED-2). Undefined: the
   * app has a transaction open.
   */
  readBase(): LeafMap<Leaf> | undefined {
    const visible: LeafMap<Leaf>[] = [];
    this.#observed.apply(() => visible.push(readContent(this.store)));
    const [content] = visible;
    if (content === undefined) return undefined;
    this.#overlay.forEachBase((leaf, table, row, cell) => {
      if (leaf === undefined) content.delete(table, row, cell);
      else content.set(table, row, cell, leaf);
    });
    return content;
  }

  /** The room's leaf as far as it is known. */
  baseLeaf(table: TableKey, row: string, cell: string): Leaf | undefined {
    const base = this.#overlay.base(table, row, cell);
    return base === undefined ? readLeaf(this.store, table, row, cell) : base.leaf;
  }

  /** The cells of a row that the room is known to hold. */
  baseCells(table: string, row: string): readonly string[] {
    const known = new Set([
      ...this.store.getCellIds(table, row),
      ...this.#overlay.coveredCells(table, row),
    ]);
    return [...known].filter((cell) => this.baseLeaf(table, row, cell) !== undefined);
  }

  /** Ends the oldest pending push, which the room accepted as it was (VIEW-4). Touches no Store. */
  acknowledge(): void {
    const push = this.#pending.shift();
    if (push !== undefined) this.#overlay.acknowledge(push.number, push.changes);
  }

  /** As {@link acknowledge}, for a push that the room altered or refused in part. False: busy, try again. */
  acknowledgeCorrected(correction: Changes): boolean {
    return this.#integrate(undefined, (aims) => {
      this.acknowledge();
      this.#folder.fold(correction, aims, true);
    });
  }

  /**
   * Folds a commit of somebody else (VIEW-3). Of one that is derived itself, nothing is derived (DERIVE-1). False: the Store
   * is busy and nothing was done, try again.
   */
  commit(changes: Changes, isDerived = false): boolean {
    return this.#integrate(isDerived ? undefined : changes, (aims) =>
      this.#folder.fold(changes, aims, this.#isFollowing),
    );
  }

  /**
   * Catches up: shows `content` as the base if given, takes pending pushes up to `lastPush` away without folding
   * (ONCE-4), then folds `changes`. One Store transaction. Shown even if nothing is followed, if so said. False: busy, try
   * again.
   */
  catchUp(
    content: LeafMap<Leaf> | undefined,
    lastPush: number,
    changes: Changes | undefined,
    isShown: boolean = this.#isFollowing,
  ): boolean {
    const dropped = this.#pending.filter((push) => push.number <= lastPush);
    const isDone = this.#integrate(undefined, (aims) => {
      this.#pending = this.#pending.filter((push) => push.number > lastPush);
      for (const push of dropped) this.#overlay.drop(push.number, push.changes, aimAt(aims));
      if (content !== undefined) this.#folder.rebase(content, aims, isShown);
      if (changes !== undefined) this.#folder.fold(changes, aims, isShown);
    });
    this.#lastNumber = Math.max(this.#lastNumber, lastPush);
    if (isDone && content !== undefined) this.#meet(content, isShown);
    return isDone;
  }

  /** Reports what the Store held of its own before the first content that came, and the content does not have (SEED-5). */
  #meet(content: LeafMap<Leaf>, isShown: boolean): void {
    if (this.#hasMetContent) return;
    this.#hasMetContent = true;
    const isEdited = (table: TableKey, row: string, cell: string): boolean =>
      this.#overlay.isCovered(table, row, cell);
    if (!isShown) {
      readContent(this.store).forEach((leaf, table, row, cell) => {
        if (isEdited(table, row, cell) || content.get(table, row, cell) === leaf) return;
        const changes = new ChangesBuilder();
        changes.setLeaf(table, row, cell, leaf);
        this.#early.add(changes);
      });
    }
    const refusals = this.#early.answer(content, isEdited);
    if (refusals.length > 0) this.#events.onRefused(refusals);
  }

  /** Takes a pending push back: it keeps its number and does nothing; what it set stays here, local-only. */
  withdraw(number: number, reason: RefusalReason): void {
    const index = this.#pending.findIndex((push) => push.number === number);
    const push = this.#pending[index];
    if (push === undefined) return;
    const changes = new ChangesBuilder();
    this.#overlay.localise(number, push.changes);
    this.#pending[index] = { number, changes, encoded: encodeChanges(changes) };
    this.#events.onRefused(refusalsOf(push.changes, reason));
  }

  /** Ends local-only state: every such leaf shows what the room, or a pending push, says. False: busy. */
  discardLocal(): boolean {
    return this.#integrate(undefined, (aims) => this.#overlay.discardLocal(aimAt(aims)));
  }

  /** Reports all that the room has not confirmed and forgets it; the Store keeps what it shows. */
  abandon(reason: RefusalReason): void {
    const abandoned = new ChangesBuilder();
    for (const { changes } of this.#pending) addChanges(abandoned, changes);
    if (this.#held !== undefined) addChanges(abandoned, this.#held);
    const early = this.#early.take();
    if (early !== undefined) addChanges(abandoned, early);
    this.#pending = [];
    this.#held = undefined;
    this.#lastNumber = 0;
    this.#overlay.clear();
    if (!abandoned.isEmpty) this.#events.onRefused(refusalsOf(abandoned, reason));
  }

  /** Puts back what was persisted (KEEP-1): pushes that were pending, on a Store that shows the base. */
  restore(pushes: readonly PendingPush[], lastNumber: number): boolean {
    this.#lastNumber = lastNumber;
    return this.#integrate(undefined, (aims) => {
      for (const push of pushes) {
        this.#overlay.write(push.number, push.changes, this.#visibleUnder(push.changes));
        this.#pending.push(push);
      }
      this.#overlay.forEachView(aimAt(aims));
    });
  }

  /** Stops observing the Store, and gives it up. */
  stop(): void {
    this.#observed.stop();
    this.claim.release();
  }

  #isTooLarge(encoded: string): boolean {
    return utf8Length(encoded, this.#pushBytes) > this.#pushBytes;
  }

  #edited({ changes, before }: TransactionLog): void {
    if (this.claim.isElsewhere) return;
    if (!this.#isTracking) {
      this.#early.add(changes);
      this.#events.onPending();
    } else if (this.#isSaving) this.#push(changes, before);
    else this.#hold(changes, before);
  }

  /** What the Store shows of the leaves that changes would touch. */
  #visibleUnder(changes: Changes): LeafMap<Leaf | undefined> {
    const visible = new LeafMap<Leaf | undefined>();
    const note = (table: TableKey, row: string, cell: string): void => {
      visible.set(table, row, cell, readLeaf(this.store, table, row, cell));
    };
    for (const [table, rows] of changes.deletedRows) {
      for (const row of rows)
        for (const cell of this.store.getCellIds(table, row)) note(table, row, cell);
    }
    changes.leaves.forEach((_leaf, table, row, cell) => note(table, row, cell));
    return visible;
  }

  /** Passes changes on without the leaves that no message may carry: these become local-only (`CHANGES-4`). */
  #withoutDeep(
    changes: Changes,
    before: LeafMap<Leaf | undefined>,
    track: (changes: Changes, before: LeafMap<Leaf | undefined>) => void,
  ): void {
    const deep = findDeepLeaves(changes.leaves);
    if (deep === undefined) {
      track(changes, before);
      return;
    }
    const rest = { ...changes, leaves: withoutLeaves(changes.leaves, deep) };
    if (!isEmptyChanges(rest)) track(rest, withoutLeaves(before, deep));
    deep.forEach((leaf, table, row, cell) => {
      const base = before.get(table, row, cell);
      this.#overlay.setLocal(table, row, cell, { leaf, isDerived: false }, base);
    });
    this.#events.onRefused(refusalsOf({ deletedRows: new Map(), leaves: deep }, 'malformed'));
  }

  #hold(changes: Changes, before: LeafMap<Leaf | undefined>): void {
    this.#withoutDeep(changes, before, (rest, restBefore) => this.#holdShallow(rest, restBefore));
  }

  #push(changes: Changes, before: LeafMap<Leaf | undefined>, mark: PushMark = {}): void {
    this.#withoutDeep(changes, before, (rest, restBefore) =>
      this.#pushShallow(rest, restBefore, mark),
    );
  }

  #holdShallow(changes: Changes, before: LeafMap<Leaf | undefined>): void {
    this.#held ??= new ChangesBuilder();
    addChanges(this.#held, changes);
    this.#overlay.write(HELD, changes, before);
    this.#events.onPending();
  }

  #pushShallow(changes: Changes, before: LeafMap<Leaf | undefined>, mark: PushMark): void {
    const encoded = encodeChanges(changes);
    if (this.#isTooLarge(encoded)) {
      before.forEach((base, table, row, cell) => {
        const leaf = readLeaf(this.store, table, row, cell);
        this.#overlay.setLocal(table, row, cell, { leaf, isDerived: false }, base);
      });
      this.#events.onRefused(refusalsOf(changes, 'too-large'));
      return;
    }
    const number = ++this.#lastNumber;
    this.#overlay.write(number, changes, before);
    this.#pending.push({ number, changes, encoded, ...mark });
    this.#events.onPending();
  }

  /** Folds, then makes the Store show the result, in one transaction, and reads it back. */
  #integrate(commit: Changes | undefined, fold: (aims: Aims) => void): boolean {
    const aims: Aims = new LeafMap();
    let notTaken = new LeafMap<true>();
    let hasFolded = false;
    const outcome = this.#observed.apply(() => {
      fold(aims);
      hasFolded = true;
      writeAims(this.store, aims);
      notTaken = leavesNotTaken(this.store, aims);
    });
    if (outcome.type === 'busy') return false;
    // A start listener of the app that throws keeps the transaction from beginning at all (VIEW-7).
    if (!hasFolded) fold(aims);
    const log = outcome.type === 'applied' ? outcome.log : undefined;
    this.#readBack(new Reaction({ store: this.store, aims, notTaken, log, commit }));
    if (outcome.error !== undefined) this.#events.onError(outcome.error);
    return true;
  }

  /** Takes what the Store made of it: to be sent as derived (DERIVE-1, DERIVE-2), or local-only and reported (LOCAL-1). */
  #readBack(reaction: Reaction): void {
    const derived = new ChangesBuilder();
    const before = new LeafMap<Leaf | undefined>();
    const refusals: Refusal[] = [];
    reaction.forEach(({ table, row, cell, aim, shown, mayBeSent, reason }) => {
      if (mayBeSent && this.#isSaving) {
        before.set(table, row, cell, aim);
        derived.setLeaf(table, row, cell, shown);
        return;
      }
      this.#overlay.setLocal(table, row, cell, { leaf: shown, isDerived: mayBeSent }, aim);
      if (!mayBeSent) refusals.push(refusalOf(aim, table, row, cell, reason));
    });
    if (!derived.isEmpty) this.#push(derived, before, { isDerived: true });
    if (refusals.length > 0) this.#events.onRefused(refusals);
  }
}

/** A push is the user's, unless it is marked. */
interface PushMark {
  readonly isDerived?: true;
}
