import type { Store } from 'tinybase';

import {
  addChanges,
  applyChangesToLeaves,
  ChangesBuilder,
  isEmptyChanges,
  type Changes,
} from '../../protocol/changes.ts';
import type { MaybeReaction } from '../../protocol/derived-mark.ts';
import { encodeChanges } from '../../protocol/codec.ts';
import { findUnsendableLeaves, withoutLeaves } from '../../protocol/unsendable-leaves.ts';
import type { Leaf, TableKey } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import { ObservedStore } from '../../protocol/observed-store.ts';
import {
  holdsJust,
  isEmptyStore,
  readLeaf,
  type TransactionLog,
} from '../../protocol/store-access.ts';
import { utf8Length } from '../../protocol/utf8.ts';
import { aimAt, leavesNotTaken, writeAims, type Aims } from './aims.ts';
import { EarlyEdits } from './early-edits.ts';
import type { EditObserver } from './edit-observer.ts';
import type { UnconfirmedEdits } from './former-client.ts';
import { HELD, Overlay, viewOf } from './overlay.ts';
import type { PendingPush } from './pending-push.ts';
import { Reaction } from './reaction.ts';
import {
  refusalOf,
  refusalsOf,
  refusalsOfReplaced,
  type Refusal,
  type RefusalReason,
} from './refusal.ts';
import { RoomBase } from './room-base.ts';
import { StoreClaim } from './store-claim.ts';

/** The calls of a replica to its owner. They must not throw or write to the Store. */
export interface ReplicaEvents {
  /** There is a new pending push, or an edit from before the start, or `held` was added to the held edits. */
  readonly onPending: (held?: Changes) => void;
  /** Edits were refused. The list may be empty: then nothing was. */
  readonly onRefused: (refusals: readonly Refusal[]) => void;
  /** A listener or middleware of the app threw while something was applied; the bookkeeping is complete. */
  readonly onError: (error: unknown) => void;
}

/** The part of a room's history that a client has missed. */
export interface CatchUp {
  /** The new base. If it is left out, the base stays. */
  readonly content?: LeafMap<Leaf> | undefined;
  /** The room has processed the pushes up to this number: they are removed, and not folded (ONCE-4). 0 by default. */
  readonly lastPush?: number;
  /** The changes since that base. */
  readonly changes?: Changes | undefined;
  /** True if the result is shown also while remote changes are not shown. By default it is shown if they are. */
  readonly isShown?: boolean;
  /** With the pending pushes on top, this content replaces the held edits (VIEW-9). If it is left out, they stay. */
  readonly heldReplacedBy?: LeafMap<Leaf> | undefined;
}

/** The cause of a fold. */
interface FoldSource {
  /** The changes of other clients, for `EditObserver.folded`. */
  readonly changes?: Changes | undefined;
  /** False if the Store does not show them, for `EditObserver.folded`. */
  readonly isShown?: boolean;
  /** The Store's reactions to these changes may be sent (DERIVE-1). */
  readonly commit?: Changes | undefined;
  /** The version that these changes have made. */
  readonly version?: number | undefined;
  /** True for a correction that is shown, for `EditObserver.folded`. */
  readonly isAck?: boolean;
  /** True if it is the seed: then the Store's reaction is a part of that (SEED-2). */
  readonly isSeed?: boolean;
  /** The leaves that the Store has not taken before: this was reported. */
  readonly told?: LeafMap<Leaf | undefined>;
}

/**
 * A Store that shows the room's content with the edits made here on top (VIEW-1 to VIEW-8). It is synchronous, and knows
 * neither versions nor sockets. Its owner calls the folding methods in the room's order.
 *
 * The ways in which a push ends. In each, a later edit of the same leaf stays on top.
 *
 * | end | the cause | the Store shows | the app hears of |
 * |---|---|---|---|
 * | acknowledged | an ack | the edit, which is the base now | nothing |
 * | corrected | an ack with a correction | the room's value where the correction has one; the edit elsewhere | each corrected part |
 * | dropped | a welcome after the push was processed | what the room made of it | each part that the room lacks, if no other client can have overwritten it: `unknown` |
 * | withdrawn | the room will never take the push | the edit, local-only; the room's value after `access` | all of it: `malformed`, `too-large`, `access` |
 * | abandoned | the session ends, or moves to another room | the edit, untracked | all of it: `destroyed`, `another-room`; nothing if it is kept elsewhere |
 *
 * A withdrawn push keeps its number and is empty. Then it is acknowledged, or dropped, like any other.
 */
export class Replica {
  /** The claim to the Store. While another persister holds it, this replica ignores edits. */
  readonly claim: StoreClaim;
  /** The room's content as it is known here. */
  readonly base: RoomBase;
  /** Told of the user's edits; undefined if no part of the client needs them. */
  observer: EditObserver | undefined;
  /** True while the replica handles an edit of the app: then the Store ignores all writes. */
  isReading = false;
  readonly #observed: ObservedStore;
  readonly #overlay = new Overlay();
  readonly #events: ReplicaEvents;
  readonly #early: EarlyEdits;
  #pending: PendingPush[] = [];
  #held: ChangesBuilder | undefined;
  #lastNumber = 0;
  #isSaving = false;
  #isFollowing = false;
  #isTracking = false;
  #hasEnded = false;
  #pushBytes = Infinity;

  constructor(store: Store, events: ReplicaEvents) {
    this.#events = events;
    this.claim = new StoreClaim(store);
    this.#observed = new ObservedStore(store, (log) => this.#edited(log));
    this.base = new RoomBase(store, this.#overlay);
    this.#early = new EarlyEdits(store, this.#overlay);
  }

  get store(): Store {
    return this.#observed.store;
  }

  /** The pushes without an answer, oldest first. */
  get pending(): readonly PendingPush[] {
    return this.#pending;
  }

  /** True if there are edits from before the start, and no content of the room has come since (SEED-5). */
  get hasEarly(): boolean {
    return this.#early.isAny;
  }

  /** Forgets the early edits of these leaves: the room has refused them in the seed, and that is reported. */
  seedRefused(leaves: LeafMap<Leaf | undefined>): void {
    this.#early.forget(leaves);
  }

  /** The edits that wait for saving to start, as the single push that they will become (VIEW-8); undefined if there are none. */
  get held(): Changes | undefined {
    return this.#held;
  }

  /** The leaves that may differ from the room's (VIEW-2). */
  get overlay(): Pick<Overlay, 'forEach' | 'get' | 'isEmpty' | 'localOnly'> {
    return this.#overlay;
  }

  /** The number of the oldest pending push; if none is pending, the number of the next push. */
  get oldestUnanswered(): number {
    return this.#pending[0]?.number ?? this.#lastNumber + 1;
  }

  /** The highest push number given out. */
  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** Treats edits from now on as the user's. The present content of the Store may only become a seed (SEED-3). */
  startTracking(): void {
    this.#isTracking = true;
  }

  /** Shows remote changes or stops that. While stopped, only leaves that pending pushes cover are updated. */
  setFollowing(isFollowing: boolean): void {
    this.#isFollowing = isFollowing;
  }

  /** Makes edits become pushes at once, or holds them. Starting makes one push of the held edits. */
  setSaving(isSaving: boolean): void {
    this.#isSaving = isSaving;
    if (!isSaving) return;
    this.releaseHeld();
    const { changes, before } = this.#overlay.derived();
    if (!isEmptyChanges(changes)) this.#track(changes, before, { isDerived: true });
  }

  /** Sets the limit of a push, in UTF-8 bytes of its changes. A larger one becomes local-only (ONCE-7). */
  limitPushes(bytes: number): void {
    this.#pushBytes = bytes;
  }

  /** Makes one push of the edits that are held, if there are any. */
  releaseHeld(): void {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) this.#release(held);
  }

  /** Makes one push of edits that the overlay has as held. `mark` is undefined if they really were held for a while. */
  #release(changes: Changes, mark?: MaybeReaction): void {
    const encoded = encodeChanges(changes);
    const isTooLarge = utf8Length(encoded, this.#pushBytes) > this.#pushBytes;
    if (isTooLarge) this.#overlay.localise(HELD, changes);
    else {
      const number = ++this.#lastNumber;
      this.#overlay.renumberHeld(number, changes);
      const deletedTables = this.#tablesLeftEmpty(changes);
      this.#pending.push({ number, changes, encoded, deletedTables, ...mark });
    }
    if (mark === undefined) this.observer?.released(isTooLarge);
    if (isTooLarge) this.#events.onRefused(refusalsOf(changes, 'too-large'));
    else this.#events.onPending();
  }

  /** Returns the base (SEED-2). Undefined if the app has a transaction open. */
  readBase(): LeafMap<Leaf> | undefined {
    const read: LeafMap<Leaf>[] = [];
    this.#observed.apply(() => read.push(this.base.read()));
    return read[0];
  }

  /** Makes the leaves of the base local-only, unless an edit covers them: no room has them. Returns the base; undefined if the Store is busy. */
  localiseBase(): LeafMap<Leaf> | undefined {
    const content = this.readBase();
    content?.forEach((leaf, table, row, cell) => {
      if (this.#overlay.get(table, row, cell)) return;
      this.#overlay.setLocal(table, row, cell, { leaf, origin: 'edit' }, undefined);
    });
    return content;
  }

  // An ack first counts the whole push as accepted. In the same transaction, the correction gives each leaf that was not accepted the
  // room's value. So a refused leaf goes back.

  /** Ends the oldest pending push, which the room accepted unchanged (VIEW-4). Does not change the Store. */
  acknowledge(): void {
    const push = this.#pending.shift();
    if (push !== undefined) this.#overlay.acknowledge(push.number, push.changes);
  }

  /** Ends the oldest pending push, which the room altered or refused in part. False: busy, try again. */
  acknowledgeCorrected(correction: Changes): boolean {
    const acknowledge = (aims: Aims): void => {
      if (this.#isFollowing) this.observer?.correcting(this.oldestUnanswered, correction);
      this.acknowledge();
      this.base.fold(correction, aims, true);
    };
    return this.#integrate(acknowledge, { isAck: this.#isFollowing });
  }

  /**
   * Folds a commit of another client (VIEW-3). Sends no reaction to a derived commit (DERIVE-1). False: the Store is busy and
   * nothing changed, try again.
   */
  commit(changes: Changes, isDerived = false, version?: number): boolean {
    return this.#integrate((aims) => this.base.fold(changes, aims, this.#isFollowing), {
      changes,
      isShown: this.#isFollowing,
      commit: isDerived ? undefined : changes,
      version,
    });
  }

  /** Catches up with the room in one Store transaction. False: busy, try again. */
  catchUp({
    content,
    lastPush = 0,
    changes,
    isShown = this.#isFollowing,
    heldReplacedBy,
  }: CatchUp): boolean {
    const held = heldReplacedBy && this.#held;
    const dropped = this.#pending.filter((push) => push.number <= lastPush);
    const told = new LeafMap<Leaf | undefined>();
    const fold = (aims: Aims): void => {
      this.#pending = this.#pending.filter((push) => push.number > lastPush);
      for (const push of dropped) this.#overlay.drop(push.number, push.changes, aimAt(aims), told);
      if (held !== undefined) {
        this.#held = undefined;
        this.#overlay.drop(HELD, held, aimAt(aims));
      }
      if (content !== undefined) {
        // Its versions may be those of another history.
        this.#pending = this.#pending.map((push) => ({ ...push, reactsTo: undefined }));
        this.base.rebase(content, aims, isShown);
      }
      if (changes !== undefined) this.base.fold(changes, aims, isShown);
    };
    const isDone = this.#integrate(fold, { changes, isShown, told });
    this.#lastNumber = Math.max(this.#lastNumber, lastPush);
    if (isDone && content !== undefined) this.#events.onRefused(this.#early.meet(content, isShown));
    if (isDone && held !== undefined && heldReplacedBy !== undefined) {
      const later = this.#pending.map((push) => push.changes);
      if (changes !== undefined) later.unshift(changes);
      const replacement = withChanges(heldReplacedBy, later);
      this.#events.onRefused(refusalsOfReplaced(held, replacement, 'loaded'));
    }
    return isDone;
  }

  /** Shows initial content that no room has. The base is what the Store makes of it (SEED-2). False: busy, try again. */
  showSeed(content: LeafMap<Leaf>): boolean {
    const isDone = this.#integrate((aims) => this.base.rebase(content, aims, true), {
      isSeed: true,
    });
    if (!isDone) return false;
    // The Store may have made an early edit again: a default of its schema, for example.
    const shown = this.hasEarly ? this.base.read() : content;
    this.#events.onRefused(this.#early.meet(shown, true));
    return true;
  }

  /** Withdraws a pending push: it keeps its number and becomes empty. Its leaves stay here, local-only. */
  withdraw(number: number, reason: RefusalReason): void {
    const index = this.#pending.findIndex((push) => push.number === number);
    const push = this.#pending[index];
    if (push === undefined) return;
    const changes = new ChangesBuilder();
    this.#overlay.localise(number, push.changes);
    this.#pending[index] = { number, changes, encoded: encodeChanges(changes) };
    this.observer?.withdrawn(push, reason !== 'access');
    this.#events.onRefused(refusalsOf(push.changes, reason));
  }

  /**
   * Ends the local-only state of the leaves of these changes, or of all: they show the room's version, or that of a pending
   * push. False: busy.
   */
  discardLocal(changes?: Changes): boolean {
    return this.#integrate((aims) => this.#overlay.discardLocal(aimAt(aims), changes));
  }

  /**
   * Forgets all unconfirmed edits, and returns a refusal for each. The Store keeps what it shows. Edits from before the start
   * are reported at once.
   */
  abandon(reason: RefusalReason): readonly Refusal[] {
    const abandoned = new ChangesBuilder();
    for (const { changes } of this.#pending) addChanges(abandoned, changes);
    if (this.#held !== undefined) addChanges(abandoned, this.#held);
    const early = this.#early.take();
    this.#pending = [];
    this.#held = undefined;
    this.#lastNumber = 0;
    this.#overlay.clear();
    this.observer?.abandoned();
    if (early !== undefined) this.#events.onRefused(refusalsOf(early, reason));
    return refusalsOf(abandoned, reason);
  }

  /**
   * Shows the state of an earlier client, in one Store transaction: `content` as the base, if given, with its pushes and held edits on
   * top (KEEP-1). Edits that were made since tracking started stay on top of these. False: busy, try again. Without `isShown`, the Store
   * stays as it is.
   */
  restore(
    content: LeafMap<Leaf> | undefined,
    edits: UnconfirmedEdits | undefined,
    isShown = true,
  ): boolean {
    const later = this.#held;
    const fold = (aims: Aims): void => {
      const write = (number: number, changes: Changes): void =>
        this.#overlay.write(number, changes, this.#visibleUnder(changes, aims));
      if (later !== undefined) this.#overlay.drop(HELD, later, aimAt(aims));
      if (content !== undefined) this.base.rebase(content, aims, true);
      for (const push of edits?.pushes ?? []) {
        write(push.number, push.changes);
        this.#pending.push(push);
      }
      if (edits?.held !== undefined) {
        this.#held = new ChangesBuilder();
        addChanges(this.#held, edits.held);
        if (later !== undefined) addChanges(this.#held, later);
      }
      if (this.#held !== undefined) write(HELD, this.#held);
      this.#overlay.forEach((cover, ...at) => aimAt(aims)(viewOf(cover), ...at));
    };
    if (!isShown) fold(new LeafMap());
    else if (!this.#integrate(fold)) return false;
    if (edits !== undefined) this.#lastNumber = edits.lastNumber;
    if (content !== undefined) this.#events.onRefused(this.#early.meet(content, true));
    return true;
  }

  /** Stops observing the Store, and releases it. Reports the edits of a transaction that is open. */
  stop(): void {
    this.#hasEnded = true;
    this.#observed.stop(true);
    this.claim.release();
  }

  #edited(log: TransactionLog): void {
    if (this.claim.isElsewhere) return;
    const { changes, before } = log;
    this.isReading = true;
    if (this.#hasEnded) this.#events.onRefused(refusalsOf(changes, 'destroyed'));
    else if (!this.#isTracking) {
      this.#early.add(changes);
      this.#events.onPending();
    } else this.#track(changes, before);
    this.observer?.edited(log);
    this.isReading = false;
  }

  /** Returns the views of the leaves that changes would touch, as they will be when the Store shows the aims. */
  #visibleUnder(changes: Changes, aims: Aims): LeafMap<Leaf | undefined> {
    const visible = new LeafMap<Leaf | undefined>();
    const note = (table: TableKey, row: string, cell: string): void => {
      const isAimed = aims.has(table, row, cell);
      const leaf = isAimed ? aims.get(table, row, cell) : readLeaf(this.store, table, row, cell);
      visible.set(table, row, cell, leaf);
    };
    for (const [table, rows] of changes.deletedRows) {
      for (const row of rows) {
        for (const cell of this.store.getCellIds(table, row)) note(table, row, cell);
        for (const cell of aims.cells(table, row).keys()) note(table, row, cell);
      }
    }
    changes.leaves.forEach((_leaf, table, row, cell) => note(table, row, cell));
    return visible;
  }

  /** Makes a push of changes, or holds them. Leaves that no message may carry become local-only (`CHANGES-4`). */
  #track(changes: Changes, before: LeafMap<Leaf | undefined>, mark: MaybeReaction = {}): void {
    const unsendable = findUnsendableLeaves(changes.leaves);
    if (unsendable === undefined) {
      this.#trackSendable(changes, before, mark);
      return;
    }
    const rest = { ...changes, leaves: withoutLeaves(changes.leaves, unsendable) };
    if (!isEmptyChanges(rest)) this.#trackSendable(rest, withoutLeaves(before, unsendable), mark);
    unsendable.forEach((leaf, table, row, cell) => {
      const base = before.get(table, row, cell);
      this.#overlay.setLocal(table, row, cell, { leaf, origin: 'edit' }, base);
    });
    this.#events.onRefused(refusalsOf({ deletedRows: new Map(), leaves: unsendable }, 'malformed'));
  }

  #trackSendable(changes: Changes, before: LeafMap<Leaf | undefined>, mark: MaybeReaction): void {
    this.#overlay.write(HELD, changes, before);
    if (this.#isSaving) {
      this.#release(changes, mark);
      return;
    }
    this.#held ??= new ChangesBuilder();
    addChanges(this.#held, changes);
    this.#events.onPending(changes);
  }

  /** Returns the tables whose last row these changes have deleted. Call it right after the transaction. */
  #tablesLeftEmpty({ deletedRows }: Changes): ReadonlySet<string> {
    return new Set([...deletedRows.keys()].filter((table) => !this.store.hasTable(table)));
  }

  /** Folds, makes the Store show the result in one transaction, and reads the Store back. False: busy, nothing changed. */
  #integrate(
    fold: (aims: Aims) => void,
    {
      changes,
      isShown = true,
      commit,
      version,
      isAck = false,
      isSeed = false,
      told,
    }: FoldSource = {},
  ): boolean {
    const { oldestUnanswered } = this;
    const aims: Aims = new LeafMap();
    let notTaken = new LeafMap<true>();
    let hasFolded = false;
    let wasEmpty = false;
    /** True if the Store, which was empty, shows the aims and nothing else: then there is nothing to find out. */
    let isAsAimed = false;
    const outcome = this.#observed.apply(
      () => {
        wasEmpty = this.observer === undefined && isEmptyStore(this.store);
        fold(aims);
        hasFolded = true;
        writeAims(this.store, aims, this.#overlay);
        notTaken = leavesNotTaken(this.store, aims);
      },
      () => !(isAsAimed = wasEmpty && holdsJust(this.store, aims)),
    );
    if (outcome.type === 'busy') return false;
    // If a start listener of the app throws, the transaction does not begin (VIEW-7).
    if (!hasFolded) fold(aims);
    const { log } = outcome;
    if (!isAsAimed)
      this.#readBack(
        new Reaction({ store: this.store, aims, notTaken, log, commit }),
        // If a listener threw, the Store may show nothing of it.
        isSeed && log !== undefined,
        told,
        version,
      );
    this.observer?.folded(aims, log, oldestUnanswered, isAck, changes, isShown);
    if (outcome.error !== undefined) this.#events.onError(outcome.error);
    return true;
  }

  /**
   * Handles a reaction of the Store: sends it as derived (DERIVE-1, DERIVE-2), or reports it as local-only (LOCAL-1). The reaction to
   * a seed is a part of that, and only what is missing is reported.
   */
  #readBack(
    reaction: Reaction,
    isSeed: boolean,
    told: LeafMap<Leaf | undefined> | undefined,
    reactsTo: number | undefined,
  ): void {
    const derived = new ChangesBuilder();
    const before = new LeafMap<Leaf | undefined>();
    const refusals: Refusal[] = [];
    reaction.forEach(({ table, row, cell, aim, shown, mayBeSent, reason }) => {
      if (mayBeSent && this.#isSaving) {
        before.set(table, row, cell, aim);
        derived.setLeaf(table, row, cell, shown);
        return;
      }
      const isPartOfSeed = isSeed && this.#overlay.get(table, row, cell) === undefined;
      if (!isPartOfSeed)
        this.#overlay.setLocal(
          table,
          row,
          cell,
          { leaf: shown, origin: mayBeSent ? 'derived' : 'reaction' },
          aim,
        );
      const isTold = told?.has(table, row, cell) === true && told.get(table, row, cell) === aim;
      if (!mayBeSent && !isTold && !(isPartOfSeed && aim === undefined))
        refusals.push(refusalOf(aim, table, row, cell, reason));
    });
    if (!derived.isEmpty) this.#track(derived, before, { isDerived: true, reactsTo });
    this.#events.onRefused(refusals);
  }
}

/** Returns content with changes on top. Does not change the given content. */
function withChanges(content: LeafMap<Leaf>, changes: readonly Changes[]): LeafMap<Leaf> {
  if (changes.length === 0) return content;
  const changed = new LeafMap<Leaf>();
  content.forEach((leaf, table, row, cell) => changed.set(table, row, cell, leaf));
  for (const each of changes) applyChangesToLeaves(changed, each);
  return changed;
}
