import { addChanges, ChangesBuilder, type Changes } from '../../protocol/changes.ts';
import type { FormerClient } from '../replica/former-client.ts';
import type { PendingPush } from '../replica/pending-push.ts';
import { BaseRecord } from './base-record.ts';
import type { ClaimedRecord, RecordScope } from './claim-record.ts';
import { encodeHeld, encodePush, type RecordKeys } from './client-record.ts';
import { EditMoves } from './edit-moves.ts';
import { HeadGuard, type HeadWrite } from './head-guard.ts';
import { HeldEntry } from './held-entry.ts';
import type { LastWrite, OfflineWrite } from './offline-storage.ts';

/** A write of a record, and what is durable with it. */
export interface RecordWrite {
  readonly write: OfflineWrite;
  /** The head; undefined if the write leaves it as it is. */
  readonly headWrite: HeadWrite | undefined;
  /** The number of the last push; 0 if there is none. */
  readonly lastPush: number;
  /** The number of the last push that the base includes; 0 if there is none. */
  readonly included: number;
  readonly held: Changes | undefined;
}

/**
 * The record of a client, as this page knows it: its head, pushes, held edits and base. It knows what is stored, what the next write has
 * to bring, what the page has said as it was about to end, and so what is in none of these.
 */
export class StoredRecord {
  readonly id: string;
  /** False if nobody may read edits of this record later: then only the base is kept. */
  readonly keepsEdits: boolean;
  readonly head: HeadGuard;
  readonly held: HeldEntry;
  readonly base: BaseRecord;
  /** The edits of other clients that are on their way into the record. */
  readonly moves: EditMoves = new EditMoves();
  readonly #keys: RecordKeys;
  #isRemoved = false;
  /** The number of the last push that is stored; Infinity for a record without edits. */
  #durablePush: number;
  #confirmed: number;
  /** Numbers of answered pushes whose entries are still there. */
  #answered: number[];
  /** The number of the last push in the last words of the page. */
  #saidPush = 0;

  constructor({ keys, locks }: RecordScope, claimed: ClaimedRecord, client: FormerClient) {
    const { recordId, edits } = claimed;
    this.id = recordId;
    this.#keys = keys;
    this.keepsEdits = locks !== undefined;
    this.head = new HeadGuard(keys.head(recordId), claimed, this.keepsEdits);
    this.held = new HeldEntry(keys.held(recordId), edits.held);
    this.base = new BaseRecord(keys, claimed);
    const stored = edits.pushes.map(({ number }) => number);
    const last = stored.at(-1) ?? claimed.head?.lastNumber ?? 0;
    this.#durablePush = this.keepsEdits ? last : Infinity;
    this.#confirmed = (client.pushes[0]?.number ?? last + 1) - 1;
    // What is stored and not pending any more was answered meanwhile, by an earlier session of this page.
    const pending = new Set(client.pushes.map(({ number }) => number));
    this.#answered = stored.filter((number) => !pending.has(number));
    const remove = edits.damaged;
    if (remove.length > 0) this.moves.add({ remove, first: 1, last: 0, release: () => undefined });
  }

  /** True if another page may find edits in the record. */
  get isKept(): boolean {
    return this.keepsEdits && !this.#isRemoved && this.head.isStored;
  }

  /** True if the record is there no more, or will not be. */
  get isRemoved(): boolean {
    return this.#isRemoved;
  }

  /** The number of the last push that is stored; Infinity if none ever is. */
  get durablePush(): number {
    return this.#durablePush;
  }

  /** The highest push number that a restart will not need again. */
  get confirmed(): number {
    return this.#confirmed;
  }

  isPushDurable(number: number): boolean {
    return number <= this.#durablePush && !this.head.isRenaming;
  }

  /** The number of the last push that another page may have from the device. */
  get lastShared(): number {
    return this.head.isSaid ? Math.max(this.#durablePush, this.#saidPush) : this.#durablePush;
  }

  /** The room has processed these pushes. */
  answered(pushes: readonly PendingPush[]): void {
    this.base.answered(pushes);
    for (const { number } of pushes) this.#answered.push(number);
  }

  /** Call this if somebody removes the record. */
  removed(): void {
    this.#isRemoved = true;
  }

  /**
   * Returns the write of all that is not stored; undefined if there is nothing.
   * @param savedAt the time, in milliseconds since 1970, if the base has to be in it.
   * @param isHeadDue true if the write has to find the record as it was, even if nothing else is new.
   */
  write(
    client: FormerClient,
    savedAt: number | undefined,
    isHeadDue: boolean,
  ): RecordWrite | undefined {
    const { pushes, held } = client;
    const { id, head } = this;
    const remove: string[] = [];
    const set = this.#entries(pushes, this.#durablePush);
    if (this.keepsEdits) {
      this.held.write(held, { set, remove });
      this.moves.write(remove);
    }
    let included = 0;
    let isBaseNew = false;
    if (savedAt !== undefined) {
      const answered = this.#answered;
      this.#answered = [];
      if (this.keepsEdits) for (const number of answered) remove.push(this.#keys.push(id, number));
      included = answered.at(-1) ?? 0;
      isBaseNew = this.base.write(set, remove, savedAt) || included > 0;
    }
    const { isRenaming } = head;
    const headWrite = head.write(client, this.base.savedAt, isHeadDue || isBaseNew);
    if (headWrite !== undefined) set.set(head.key, headWrite.text);
    if (set.size + remove.length === 0) return undefined;
    // The room is about to be told so: no edit that is removed may come back.
    const base = this.#keys.baseOf(id);
    const isStrict = isRenaming || remove.some((key) => key !== base);
    const write = { guard: head.guard, remove, set, isStrict };
    return { write, headWrite, lastPush: pushes.at(-1)?.number ?? 0, included, held };
  }

  /** Call this when a write is durable. */
  stored({ headWrite, lastPush, included, held }: RecordWrite): void {
    this.#durablePush = Math.max(this.#durablePush, lastPush);
    this.#confirmed = Math.max(this.#confirmed, included);
    this.moves.written();
    this.held.stored(held);
    if (headWrite !== undefined) this.head.stored(headWrite);
  }

  /** Returns the write of a page that is about to end: the edits of the write under way, and those that wait for it (OFFLINE-13). */
  lastWrite(client: FormerClient): LastWrite {
    const { pushes, held } = client;
    const { head } = this;
    const headText = head.writeLast(client);
    const hasHead = headText !== undefined;
    const remove: string[] = [];
    const set = this.#entries(pushes, hasHead ? 0 : this.#durablePush);
    if (hasHead) {
      // Under another id, nothing may stay of the former one.
      remove.push(this.#keys.editsOf(this.id));
      set.set(head.key, headText);
    }
    // Moved edits are still in the record that they come from.
    for (const number of this.moves.numbers) set.delete(this.#keys.push(this.id, number));
    const { key } = this.held;
    if (held !== undefined || set.size > 0) remove.push(key);
    if (held !== undefined) set.set(key, encodeHeld(held));
    return { guard: head.lastGuard, remove, set };
  }

  /** Call this when the page has said that write. */
  said({ pushes, held }: FormerClient, { set }: LastWrite): void {
    this.#saidPush = pushes.at(-1)?.number ?? 0;
    this.held.said(held);
    this.head.said(set.get(this.head.key));
  }

  /**
   * Returns the edits that are not in the record: pushes above that number, and held edits. If the record is left to another page, they
   * become held ones, which are the user's (DERIVE-1). If it is lost, another page may have all that this one has written or said.
   */
  lacking(
    { pushes, held }: FormerClient,
    above: number,
    isLeft: boolean,
    isLost: boolean,
  ): Changes | undefined {
    const last = isLost ? Math.max(above, this.lastShared) : above;
    const lacking = new ChangesBuilder();
    const add = (changes: Changes): void => {
      // A push may still be there as held edits.
      if (isLost) addChanges(lacking, this.held.lackOf(changes, this.head.isSaid));
      else if (!this.isKept || !this.held.has(changes)) addChanges(lacking, changes);
    };
    for (const { number, changes, isDerived } of pushes)
      if (number > last && !(isLeft && isDerived)) add(changes);
    if (held !== undefined) add(held);
    return lacking.isEmpty ? undefined : lacking;
  }

  /** Returns the entries of the pushes above that number. */
  #entries(pushes: readonly PendingPush[], above: number): Map<string, string> {
    const set = new Map<string, string>();
    for (let index = pushes.length - 1; index >= 0; index -= 1) {
      const push = pushes[index];
      if (push === undefined || push.number <= above) break;
      set.set(this.#keys.push(this.id, push.number), encodePush(push));
    }
    return set;
  }
}
