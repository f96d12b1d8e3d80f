import { addChanges, ChangesBuilder, type Changes } from '../../protocol/changes.ts';
import { encodeChanges } from '../../protocol/codec.ts';
import { inTime } from '../../protocol/in-time.ts';
import type { Cursor } from '../../protocol/messages.ts';
import type { FormerClient, LeftSession } from '../replica/former-client.ts';
import type { PendingPush } from '../replica/pending-push.ts';
import type { Fold } from '../session/session-types.ts';
import { BaseRecord } from './base-record.ts';
import { readHead, type ClaimedRecord, type RecordScope } from './claim-record.ts';
import {
  encodeHead,
  encodeHeld,
  encodePush,
  RESERVED_GENERATIONS,
  type RecordKeys,
} from './client-record.ts';
import { EditMoves, type MovedEdits } from './edit-moves.ts';
import { HeldEntry } from './held-entry.ts';
import { noAnswer, type OfflineStorage, type OfflineWrite } from './offline-storage.ts';

/** The pause between a change of the base and its write. */
const BASE_MILLISECONDS = 1000;

/** A write that takes longer counts as failed. */
const WRITE_MILLISECONDS = 30_000;

/** The owner of a writer. */
export interface RecordOwner {
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  readonly now: () => number;
  readonly client: () => FormerClient;
  /** False if nobody may read edits of this record later: then only the base is kept. */
  readonly keepsEdits: boolean;
  /** False until the session has read the record: it may be busy for long, and what it has until then would replace what is kept. */
  readonly isContinued: () => boolean;
  readonly onDurable: () => void;
  /** Edits could not be kept as the page ends. */
  readonly onLastFailed: (cause: unknown) => void;
  /** The lock of the record was taken away. */
  readonly onLost: () => void;
  /** Nothing is written any more. `cause` is undefined if somebody has removed the record. */
  readonly onFailed: (cause: unknown) => void;
}

/** A write in the making, and what is durable with it. */
interface Batch {
  readonly set: Map<string, string>;
  readonly remove: string[];
  readonly clientId: string;
  readonly isRenaming: boolean;
  readonly generation: number;
  /** The head; undefined if it is not written. */
  headText: string | undefined;
  /** The number of the last push; 0 if there is none. */
  lastPush: number;
  /** The number of the last push that the base includes; 0 if there is none. */
  included: number;
  held: Changes | undefined;
}

/** The edits in the last words of a page, until a later write is durable. */
interface LastSaid {
  readonly head: string | undefined;
  readonly push: number;
}

const NOT_SAID: LastSaid = { head: undefined, push: 0 };

/** Keeps the record of one client in step with what it may send and confirm (KEEP-2, KEEP-3): one write after another. */
export class RecordWriter {
  readonly #storage: OfflineStorage;
  readonly #keys: RecordKeys;
  readonly #id: string;
  #clientId: string;
  #owner: RecordOwner;
  #client: () => FormerClient;
  #headText: string | undefined;
  /** The head of the write under way, if it has one. */
  #nextHeadText: string | undefined;
  #durableGeneration = 0;
  #durablePush: number;
  readonly #held: HeldEntry;
  /** True while held edits are removed that a later page would send once more. */
  #isRemovingHeld = false;
  /** True from the loss of the lock until this page holds it again: nothing counts as durable, and nothing is written. */
  #isLost = false;
  #hasLock = true;
  #said: LastSaid = NOT_SAID;
  /** True if the next write has to change the head: what the page has said as it was about to end is void from then on (OFFLINE-13). */
  #isHeadSpent = false;
  /** Numbers of answered pushes whose entries are still there. */
  #answered: number[] = [];
  #confirmed: number;
  #lastAnswered: readonly PendingPush[] = [];
  readonly #base: BaseRecord;
  #isBaseDue = false;
  #cancelBase: (() => void) | undefined;
  readonly #moves = new EditMoves();
  #writing: Promise<void> | undefined;
  /** Settles when no write is under way. One that has taken too long may still happen. */
  #settled: Promise<unknown> = Promise.resolve();
  #isWriting = false;
  #hasFailed = false;
  /** True if the record is there no more, or will not be. */
  #isRemoved = false;
  /** The removal of the record by this page, once there is one. Resolves to true if the record was as the page knew it. */
  #removed: Promise<boolean> | undefined;
  /** True until the present client id is on disk. */
  #isRenaming = false;
  /** True if the next write has to find the record as it was. */
  #isHeadDue = false;

  constructor(
    { storage, keys }: RecordScope,
    claimed: ClaimedRecord,
    client: FormerClient,
    owner: RecordOwner,
  ) {
    this.#storage = storage;
    this.#keys = keys;
    this.#owner = owner;
    this.#client = owner.client;
    this.#id = claimed.recordId;
    this.#clientId = claimed.clientId;
    this.#headText = claimed.headText;
    this.#base = new BaseRecord(keys, claimed);
    const { pushes, damaged } = claimed.edits;
    const last = pushes.at(-1)?.number ?? claimed.head?.lastNumber ?? 0;
    this.#durablePush = owner.keepsEdits ? last : Infinity;
    this.#confirmed = client.pushes[0]?.number ?? last + 1;
    this.#confirmed -= 1;
    this.#held = new HeldEntry(keys.held(this.#id), claimed.edits.held);
    // What is on disk and not pending any more was answered meanwhile, by an earlier session of this page.
    const pending = new Set(client.pushes.map(({ number }) => number));
    for (const { number } of pushes) if (!pending.has(number)) this.#answered.push(number);
    if (claimed.base !== undefined && claimed.since === undefined) this.#saveBaseLater();
    if (damaged.length > 0)
      this.#moves.add({ remove: damaged, first: 1, last: 0, release: () => undefined });
  }

  get recordId(): string {
    return this.#id;
  }

  /** The name of the client whose pushes these are. */
  get clientId(): string {
    return this.#clientId;
  }

  /** The client that is written: that of a session which has ended, until the next one continues it. */
  get client(): FormerClient {
    return this.#client();
  }

  /** Settles when all is written, or cannot be: then no write is under way, not even one that took too long. */
  async settled(): Promise<void> {
    await this.#writing;
    await this.#settled;
  }

  get confirmed(): number {
    return this.#confirmed;
  }

  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** False if the lock was taken away from a client that has no record: it goes on without. */
  get hasLock(): boolean {
    return this.#hasLock;
  }

  /** True if the content of the room is on disk. */
  get hasBase(): boolean {
    return this.#base.isStored;
  }

  /** The moves that are not durable. */
  get undone(): readonly MovedEdits[] {
    return this.#moves.undone;
  }

  isGenerationDurable(generation: number): boolean {
    if (this.#isLost) return false;
    if (this.#hasFailed || !this.#owner.keepsEdits) return true;
    return generation <= this.#durableGeneration && !this.#isRenaming;
  }

  isPushDurable(number: number): boolean {
    if (this.#isLost) return false;
    if (this.#hasFailed) return !this.#isRemovingHeld;
    return number <= this.#durablePush && !this.#isRenaming;
  }

  /** False if no other page can have that push from the device. */
  mayBeOthers(number: number): boolean {
    return number <= Math.max(this.#durablePush, this.#said.push);
  }

  /** The client has another id from now on: the room knows more pushes of the former one (OFFLINE-6). */
  rename(clientId: string): void {
    if (this.#hasFailed) return;
    this.#clientId = clientId;
    this.#isRenaming = true;
    // With it goes what the former client has sent: under the new id, it would be sent again.
    this.#isBaseDue = true;
    this.#write();
  }

  /** The room has processed these pushes. */
  answered(pushes: readonly PendingPush[]): void {
    if (this.#hasFailed) return;
    this.#lastAnswered = pushes;
    for (const { number } of pushes) this.#answered.push(number);
    this.#saveBaseLater();
  }

  /** The base has changed. */
  folded(fold: Fold, cursor: Cursor | undefined): void {
    if (this.#hasFailed) {
      this.#removeHeld();
      return;
    }
    const answered = this.#lastAnswered;
    this.#lastAnswered = [];
    switch (fold.type) {
      case 'content':
        this.#base.replace(fold.isShown ? fold.content : undefined, cursor);
        if (fold.heldReplacedBy !== undefined) this.save();
        break;
      case 'catch-up':
        if (fold.content !== undefined)
          this.#base.replace(fold.isShown ? fold.content : undefined, cursor);
        this.#base.add(fold.changes);
        break;
      case 'commit':
        this.#base.add(fold.changes);
        break;
      case 'ack': {
        const { correction, reason } = fold.ack;
        // Nothing of it was applied (LIMIT-3).
        if (reason === 'too-large') break;
        for (const { changes } of answered) this.#base.add(changes);
        if (correction !== undefined) this.#base.add(correction);
        break;
      }
      case 'replace-held':
        this.save();
        return;
      case 'seed':
      case 'leave':
        return;
    }
    this.#base.reached(cursor);
    this.#saveBaseLater();
  }

  /** Moves another client's edits here, in one write. `adopt` makes them pending here; it returns false if it cannot. */
  move(moved: MovedEdits, adopt: () => boolean): boolean {
    // First, because listeners of the app may edit at once: no write may have the edits at both clients, or at none.
    this.#moves.add(moved);
    const isDone = adopt();
    if (isDone) this.save();
    else this.#moves.drop();
    return isDone;
  }

  /** These edits were added to the held ones. */
  held(changes: Changes): void {
    if (this.#owner.keepsEdits && !this.#hasFailed) this.#held.add(changes);
  }

  save(): void {
    if (this.#hasFailed) {
      this.#removeHeld();
      return;
    }
    this.#write();
  }

  /**
   * Keeps the edits of the write under way, which the end of the page may cut off, and those that wait for it (OFFLINE-13). A page
   * that goes on writes them as ever.
   */
  saveLast(): void {
    const isIdle = !this.#isWriting || this.#hasFailed || this.#isLost;
    if (isIdle || !this.#owner.keepsEdits) return;
    const client = this.#client();
    const { pushes, held } = client;
    const head = this.#keys.head(this.#id);
    const isNew = this.#headText === undefined;
    // The first write tells a page that had the record before, and may come back, that it is not its own any more (OFFLINE-14).
    const isFirst = this.#durableGeneration === 0;
    const hasHead = isNew || isFirst || this.#isRenaming;
    const remove: string[] = [];
    const set = this.#entries(pushes, hasHead ? 0 : this.#durablePush);
    if (hasHead) {
      // Under another id, nothing may stay of the former one.
      remove.push(this.#keys.editsOf(this.#id));
      // The base that is being written may not come.
      const savedAt = readHead(this.#headText ?? '').head.savedAt;
      set.set(head, this.#head(client, savedAt));
    }
    // Moved edits are still in the record that they come from.
    for (const { first, last } of this.undone)
      for (let number = first; number <= last; number += 1)
        set.delete(this.#keys.push(this.#id, number));
    const { key } = this.#held;
    if (held !== undefined || set.size > 0) remove.push(key);
    if (held !== undefined) set.set(key, encodeHeld(held));
    try {
      // What was said before may be in the record by now.
      const now = this.#headText;
      const values = [now, this.#nextHeadText ?? now, this.#said.head ?? now];
      this.#storage.writeLast?.({ guard: { key: head, values }, remove, set });
      this.#said = { head: set.get(head), push: pushes.at(-1)?.number ?? 0 };
      this.#held.said(held);
      this.#isHeadSpent = true;
    } catch (cause) {
      if (held !== undefined || set.size > (hasHead ? 1 : 0)) this.#owner.onLastFailed(cause);
    }
  }

  /** The lock was taken away: nothing is written until this page holds it again. */
  lose(): void {
    // Without a record, no other page has edits of this one. A full device has them still.
    if (this.#hasFailed && !this.#isKept && !this.#isLost) {
      this.#hasLock = false;
      return;
    }
    this.#isLost = true;
    this.#owner.onLost();
  }

  /** This page holds the lock again. Resolves to true, and goes on, if no other page has changed the record meanwhile. */
  async regain(isPresent: () => boolean): Promise<boolean> {
    await this.#writing;
    const asked = Promise.all([this.#storedHead(), this.#removed]);
    const [text, removed] = await this.#inTime(asked);
    // Others may read what it has said until this page is here for good.
    if (!isPresent()) return false;
    // Another page has read what this one said as it went, and no more.
    if (text !== undefined && text === this.#said.head) this.#headText = text;
    if (!(removed ?? text === this.#headText)) return false;
    // Edits that are not moved yet may be with another page: its lock was taken away, too.
    if ((this.#hasFailed && removed === undefined) || this.undone.length > 0) {
      // Nobody has heard it.
      if (text !== this.#said.head) this.#said = NOT_SAID;
      return false;
    }
    this.#isLost = false;
    this.#write();
    return true;
  }

  /** Stops at once: another page may have the record. Returns what only this page has. */
  leaveLost(): LeftSession {
    const client = this.#withoutMoved(this.#client());
    this.#fail();
    this.#client = () => client;
    return { held: this.#lackingLost(this.#durablePush, true), recordId: this.#id };
  }

  /** Ends writing after the state as it is now. Resolves to the edits that the record lacks then; to undefined if it has all. */
  async stop(): Promise<Changes | undefined> {
    const client = this.#client();
    this.#client = () =>
      this.#hasFailed && !this.#isRemoved ? this.#withoutMoved(client) : client;
    this.#cancelBase?.();
    this.#cancelBase = undefined;
    this.#isBaseDue = true;
    // Somebody may have removed the record, with edits that this page would otherwise report.
    this.#isHeadDue = client.pushes.length > 0 || client.held !== undefined;
    this.#write();
    await this.#writing;
    // A full device tells by no write that its record was removed.
    const isGone = this.#hasFailed && this.#isKept && !(await this.#isThere());
    if (this.#isLost && this.#isKept) return this.#lackingLost(this.#durablePush);
    if (isGone) this.#isRemoved = true;
    return this.#lacking(this.#isKept ? this.#durablePush : 0);
  }

  /** The next session on the Store goes on. Until it has read the record, the client is that of the session before. */
  continueFor(owner: RecordOwner): this {
    const client = this.#client;
    this.#owner = owner;
    this.#client = () => (owner.isContinued() ? owner.client() : client());
    return this;
  }

  /** Leaves the record to other pages. Call it when no write is under way. Resolves to what only this page has from then on. */
  async leave(): Promise<LeftSession> {
    const client = this.#client();
    if (!this.#isKept) return { client };
    const last = Math.max(this.#durablePush, client.lastSent);
    if (this.#isLost) return { held: this.#lackingLost(last, true), recordId: this.#id };
    // They have no number: those that the record has would be sent twice, by this page and by another one.
    const isPart = client.held !== undefined && !this.#held.has(client.held);
    if (isPart && !(await this.#dropHeld())) return { recordId: this.#id };
    return { held: this.#lacking(last, true), recordId: this.#id };
  }

  /** Stops at once, and removes the record. */
  discard(): void {
    this.#isRemoved = true;
    if (this.#hasFailed) return;
    this.#fail();
    const removed = this.#storage.write({
      guard: { key: this.#keys.head(this.#id), value: this.#headText },
      remove: this.#keys.all(this.#id),
      set: new Map(),
    });
    this.#settleAfter(removed);
    this.#removed = removed.catch(() => false);
  }

  async #storedHead(): Promise<string | undefined> {
    const key = this.#keys.head(this.#id);
    return (await this.#storage.read(key)).get(key);
  }

  /** Resolves to false if somebody has removed the record. One that cannot be read may be there. */
  #isThere(): Promise<boolean> {
    return this.#inTime(this.#storedHead()).then(
      (text) => text !== undefined,
      () => true,
    );
  }

  /** True if another page may find edits in the record. */
  get #isKept(): boolean {
    return this.#owner.keepsEdits && !this.#isRemoved && this.#headText !== undefined;
  }

  /**
   * Returns the edits that are not in the record: pushes above that number, and held edits. If the record is left to another page, they
   * become held ones, which are the user's (DERIVE-1).
   */
  #lacking(
    above: number,
    isLeft = false,
    lackOf = (changes: Changes): Changes | undefined =>
      this.#isKept && this.#held.has(changes) ? undefined : changes,
  ): Changes | undefined {
    const { pushes, held } = this.#client();
    const lacking = new ChangesBuilder();
    const add = (changes: Changes): void => {
      // A push may still be there as held edits.
      const lack = lackOf(changes);
      if (lack !== undefined) addChanges(lacking, lack);
    };
    for (const { number, changes, isDerived } of pushes)
      if (number > above && !(isLeft && isDerived)) add(changes);
    if (held !== undefined) add(held);
    return lacking.isEmpty ? undefined : lacking;
  }

  /** As `#lacking`, while another page may have all that this one has written or said. */
  #lackingLost(above: number, isLeft = false): Changes | undefined {
    const said = this.#said;
    const lackOf = (changes: Changes): Changes => this.#held.lackOf(changes, said !== NOT_SAID);
    return this.#lacking(Math.max(above, said.push), isLeft, lackOf);
  }

  /** Returns a client without edits that are still in the records which they were to be moved from. Nothing of them was sent. */
  #withoutMoved(client: FormerClient): FormerClient {
    const changes = new ChangesBuilder();
    const empty = { changes, encoded: encodeChanges(changes) };
    const isMoved = (number: number): boolean =>
      this.undone.some(({ first, last }) => first <= number && number <= last);
    const pushes = client.pushes.map((push) =>
      isMoved(push.number) ? { number: push.number, ...empty } : push,
    );
    return { ...client, pushes };
  }

  #saveBaseLater(): void {
    if (this.#hasFailed) return;
    this.#cancelBase ??= this.#owner.after(BASE_MILLISECONDS, () => {
      this.#cancelBase = undefined;
      this.#isBaseDue = true;
      this.#write();
    });
  }

  #write(): void {
    if (this.#isWriting || this.#isLost || !this.#owner.isContinued()) return;
    this.#isWriting = true;
    this.#writing = this.#writeAll();
  }

  async #writeAll(): Promise<void> {
    try {
      while (!this.#hasFailed) {
        // What this turn still does is in the same write.
        if (this.#isBaseDue) await this.#compact();
        if (this.#isLost) return;
        const batch = this.#nextBatch();
        if (batch === undefined) return;
        const written = this.#writeBatch(batch);
        this.#moves.freeAfter(written);
        // Also if it is too late: the session has gone on then, and this tells what is in the record.
        const noted = written.then((isDone) => {
          if (isDone) this.#noteDurable(batch);
          return isDone;
        });
        this.#settleAfter(noted);
        if (!(await this.#inTime(noted))) {
          const isOthers = this.#owner.keepsEdits && (await this.#isThere());
          if (!isOthers) this.#failWith(undefined);
          // Another page has the record, and its lock: this one has not heard of it.
          else if (!this.#isLost) this.lose();
          return;
        }
        if (this.#hasFailed) return;
        this.#owner.onDurable();
      }
    } catch (error) {
      this.#failWith(error);
    } finally {
      // At once: there may be more to write before anybody hears of the end.
      this.#isWriting = false;
    }
  }

  /** Writes a batch. Resolves to false if the head is neither the one that this page knows nor that of its own last words. */
  async #writeBatch(batch: Batch): Promise<boolean> {
    const write = this.#writeOf(batch);
    if (await this.#storage.write(write)) return true;
    const { head } = this.#said;
    if (head === undefined) return false;
    const guard = { key: this.#keys.head(this.#id), value: head };
    return await this.#storage.write({ ...write, guard });
  }

  #inTime<T>(promise: Promise<T>): Promise<T> {
    return inTime(promise, WRITE_MILLISECONDS, this.#owner.after, noAnswer);
  }

  async #compact(): Promise<void> {
    if (!this.#base.hasManyChanges) return;
    this.#base.compact(await this.#inTime(this.#storage.read(this.#keys.baseOf(this.#id))));
  }

  /** Returns undefined if there is nothing to write. */
  #nextBatch(): Batch | undefined {
    const client = this.#client();
    const batch: Batch = {
      set: new Map(),
      remove: [],
      clientId: this.#clientId,
      isRenaming: this.#isRenaming,
      generation: this.#generationOf(client),
      headText: undefined,
      lastPush: 0,
      included: 0,
      held: client.held,
    };
    let needsHead = this.#headText === undefined || this.#isRenaming || this.#isHeadDue;
    this.#isHeadDue = false;
    if (this.#owner.keepsEdits) {
      if (batch.generation > this.#durableGeneration) needsHead = true;
      this.#addEdits(client, batch);
    }
    if (this.#isBaseDue) {
      needsHead = this.#addBase(batch) || needsHead;
      this.#isBaseDue = false;
    }
    if (needsHead) {
      batch.headText = this.#head(client, this.#base.savedAt);
      batch.set.set(this.#keys.head(this.#id), batch.headText);
      this.#isHeadSpent = false;
    }
    this.#nextHeadText = batch.headText;
    return batch.set.size + batch.remove.length === 0 ? undefined : batch;
  }

  #writeOf({ set, remove, isRenaming }: Batch): OfflineWrite {
    const guard = { key: this.#keys.head(this.#id), value: this.#headText };
    // The room is about to be told so: no edit that is removed may come back.
    const base = this.#keys.baseOf(this.#id);
    return { guard, remove, set, isStrict: isRenaming || remove.some((key) => key !== base) };
  }

  #noteDurable(batch: Batch): void {
    const { headText, generation, clientId, lastPush, included, held } = batch;
    this.#durablePush = Math.max(this.#durablePush, lastPush);
    this.#confirmed = Math.max(this.#confirmed, included);
    this.#moves.written();
    this.#held.stored(held);
    if (headText === undefined) return;
    this.#headText = headText;
    this.#durableGeneration = generation;
    // What was said before this write is void.
    if (!this.#isHeadSpent) this.#said = NOT_SAID;
    if (clientId === this.#clientId) this.#isRenaming = false;
  }

  /** Returns a generation that lasts for some hellos. */
  #generationOf({ generation }: FormerClient): number {
    const durable = this.#durableGeneration;
    if (!this.#owner.keepsEdits) return durable;
    if (generation > durable) return generation + RESERVED_GENERATIONS;
    return this.#isHeadSpent ? durable + 1 : durable;
  }

  #head(client: FormerClient, savedAt: number): string {
    return encodeHead({
      generation: this.#generationOf(client),
      lastNumber: client.lastNumber,
      savedAt,
      clientId: this.#clientId === this.#id ? undefined : this.#clientId,
    });
  }

  #addEdits({ pushes, held }: FormerClient, batch: Batch): void {
    const { set, remove } = batch;
    for (const [key, text] of this.#entries(pushes, this.#durablePush)) set.set(key, text);
    batch.lastPush = pushes.at(-1)?.number ?? 0;
    this.#held.write(held, batch);
    this.#moves.write(remove);
  }

  /** Returns the entries of the pushes above that number. */
  #entries(pushes: readonly PendingPush[], above: number): Map<string, string> {
    const set = new Map<string, string>();
    for (let index = pushes.length - 1; index >= 0; index -= 1) {
      const push = pushes[index];
      if (push === undefined || push.number <= above) break;
      set.set(this.#keys.push(this.#id, push.number), encodePush(push));
    }
    return set;
  }

  /** Adds the base, and removes the pushes that it includes. Returns true if the base has changed. */
  #addBase(batch: Batch): boolean {
    const { set, remove } = batch;
    const answered = this.#answered;
    this.#answered = [];
    if (this.#owner.keepsEdits)
      for (const number of answered) remove.push(this.#keys.push(this.#id, number));
    batch.included = answered.at(-1) ?? 0;
    return this.#base.write(set, remove, this.#owner.now()) || answered.length > 0;
  }

  #fail(): void {
    this.#hasFailed = true;
    this.#cancelBase?.();
    // They will not be written.
    this.#moves.freeWaiting();
  }

  #failWith(cause: unknown): void {
    if (this.#hasFailed) return;
    this.#fail();
    this.#removeHeld();
    // If the page was put aside since, another one may have it.
    this.#isRemoved ||= cause === undefined && !this.#isLost && this.#said === NOT_SAID;
    this.#owner.onFailed(cause);
  }

  /**
   * Removes held edits that are held no more, from a record that cannot be written: they have no number, so a later page would send
   * them once more. A full device allows that. Where it fails too, nothing else is left than to go on.
   */
  #removeHeld(): void {
    if (!this.#held.mayBeStored || this.#client().held !== undefined) return;
    this.#isRemovingHeld = true;
    void this.#dropHeld().then(() => {
      this.#isRemovingHeld = false;
      this.#owner.onDurable();
    });
  }

  /** Resolves to true when they are removed, and to false if they cannot be. */
  async #dropHeld(): Promise<boolean> {
    this.#held.removed();
    const guard = { key: this.#keys.head(this.#id), value: this.#headText };
    const remove = [this.#held.key];
    const removed = this.#storage.write({ guard, remove, set: new Map(), isStrict: true });
    this.#settleAfter(removed);
    return await this.#inTime(removed).catch(() => false);
  }

  #settleAfter(write: Promise<unknown>): void {
    const before = this.#settled;
    const end = (): Promise<unknown> => before;
    this.#settled = write.then(end, end);
  }
}
