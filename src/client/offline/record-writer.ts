import type { Changes } from '../../protocol/changes.ts';
import type { Cursor } from '../../protocol/messages.ts';
import type { FormerClient, LeftSession } from '../replica/former-client.ts';
import type { PendingPush } from '../replica/pending-push.ts';
import type { Fold } from '../session/session-types.ts';
import type { ClaimedRecord, RecordScope } from './claim-record.ts';
import type { MovedEdits } from './edit-moves.ts';
import { RecordStorage } from './record-storage.ts';
import { StoredRecord, type RecordWrite } from './stored-record.ts';

/** The pause between a change of the base and its write. */
const BASE_MILLISECONDS = 1000;

/** The owner of a writer. */
export interface RecordOwner {
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  readonly now: () => number;
  readonly client: () => FormerClient;
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

/** Keeps the record of one client in step with what it may send and confirm (KEEP-2, KEEP-3): one write after another. */
export class RecordWriter {
  readonly #record: StoredRecord;
  readonly #storage: RecordStorage;
  #owner: RecordOwner;
  #client: () => FormerClient;
  /** True while held edits are removed that a later page would send once more. */
  #isRemovingHeld = false;
  /** True from the loss of the lock until this page holds it again: nothing counts as durable, and nothing is written. */
  #isLost = false;
  #hasLock = true;
  /** The number of losses, and of ends of a session: each of these ends an attempt to regain the lock. */
  #loss = 0;
  #isBaseDue = false;
  #cancelBase: (() => void) | undefined;
  /** True if the next write has to find the record as it was. */
  #isHeadDue = false;
  #writing: Promise<void> | undefined;
  #isWriting = false;
  #hasFailed = false;

  constructor(
    scope: RecordScope,
    claimed: ClaimedRecord,
    client: FormerClient,
    owner: RecordOwner,
  ) {
    this.#owner = owner;
    this.#client = owner.client;
    this.#record = new StoredRecord(scope, claimed, client);
    this.#storage = new RecordStorage(scope, this.#record, owner.after);
    if (claimed.base !== undefined && claimed.since === undefined) this.#saveBaseLater();
  }

  get record(): StoredRecord {
    return this.#record;
  }

  /** The client that is written: that of a session which has ended, until the next one continues it. */
  get client(): FormerClient {
    return this.#client();
  }

  /** Settles when all is written, or cannot be: then no write is under way, not even one that took too long. */
  async settled(): Promise<void> {
    await this.#writing;
    await this.#storage.settled;
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

  isGenerationDurable(generation: number): boolean {
    if (this.#isLost) return false;
    return this.#hasFailed || this.#record.head.isGenerationDurable(generation);
  }

  isPushDurable(number: number): boolean {
    if (this.#isLost) return false;
    if (this.#hasFailed) return !this.#isRemovingHeld;
    return this.#record.isPushDurable(number);
  }

  /** The client has another id from now on: the room knows more pushes of the former one (OFFLINE-6). */
  rename(clientId: string): void {
    if (this.#hasFailed) return;
    this.#record.head.rename(clientId);
    // With it goes what the former client has sent: under the new id, it would be sent again.
    this.#isBaseDue = true;
    this.#write();
  }

  /** The room has processed these pushes. */
  answered(pushes: readonly PendingPush[]): void {
    if (this.#hasFailed) return;
    this.#record.answered(pushes);
    this.#saveBaseLater();
  }

  /** The base has changed. */
  folded(fold: Fold, cursor: Cursor | undefined): void {
    if (this.#hasFailed) {
      this.#removeHeld();
      return;
    }
    const isNew = this.#record.base.folded(fold, cursor);
    const isHeldReplaced = fold.type === 'content' && fold.heldReplacedBy !== undefined;
    if (isHeldReplaced || fold.type === 'replace-held') this.save();
    if (isNew) this.#saveBaseLater();
  }

  /** Moves another client's edits here, in one write. `adopt` makes them pending here; it returns false if it cannot. */
  move(moved: MovedEdits, adopt: () => boolean): boolean {
    // First, because listeners of the app may edit at once: no write may have the edits at both clients, or at none.
    const { moves } = this.#record;
    moves.add(moved);
    const isDone = adopt();
    if (isDone) this.save();
    else moves.drop();
    return isDone;
  }

  /** Writes what is new. `held` was added to the held edits. */
  save(held?: Changes): void {
    if (this.#hasFailed) {
      this.#removeHeld();
      return;
    }
    if (held !== undefined && this.#record.keepsEdits) this.#record.held.add(held);
    this.#write();
  }

  /**
   * Keeps the edits of the write under way, which the end of the page may cut off, and those that wait for it (OFFLINE-13). A page
   * that goes on writes them as ever.
   */
  saveLast(): void {
    const isIdle = !this.#isWriting || this.#hasFailed || this.#isLost;
    if (isIdle || !this.#record.keepsEdits) return;
    try {
      this.#storage.writeLast(this.#client());
    } catch (cause) {
      this.#owner.onLastFailed(cause);
    }
  }

  /** The lock was taken away: nothing is written until this page holds it again. */
  lose(): void {
    // Without a record, no other page has edits of this one. A full device has them still.
    if (this.#hasFailed && !this.#record.isKept && !this.#isLost) {
      this.#hasLock = false;
      return;
    }
    this.#isLost = true;
    this.#loss += 1;
    this.#owner.onLost();
  }

  /** This page holds the lock again. Resolves to true, and goes on, if no other page has changed the record meanwhile. */
  async regain(): Promise<boolean> {
    const loss = this.#loss;
    const { head, moves } = this.#record;
    await this.#writing;
    const [text, removed] = await this.#storage.find();
    // The lock was lost once more, or the session has ended: others may read what this page has said.
    if (loss !== this.#loss) return false;
    const isOwn = head.isOwn(text);
    if (!(removed ?? isOwn)) return false;
    // Edits that are not moved yet may be with another page: its lock was taken away, too.
    if ((this.#hasFailed && removed === undefined) || !moves.areDone) {
      head.unsay(text);
      return false;
    }
    this.#isLost = false;
    this.#write();
    return true;
  }

  /** Stops at once: another page may have the record. Returns what only this page has. */
  leaveLost(): LeftSession {
    const record = this.#record;
    const client = record.moves.without(this.#client());
    this.#fail();
    this.#client = () => client;
    const held = record.lacking(client, record.durablePush, true, true);
    return { held, recordId: record.id };
  }

  /** Ends writing after the state as it is now. Resolves to the edits that the record lacks then; to undefined if it has all. */
  async stop(): Promise<Changes | undefined> {
    const client = this.#client();
    this.#loss += 1;
    this.#client = () =>
      this.#hasFailed && !this.#record.isRemoved ? this.#record.moves.without(client) : client;
    this.#cancelBase?.();
    this.#cancelBase = undefined;
    this.#isBaseDue = true;
    // Somebody may have removed the record, with edits that this page would otherwise report.
    this.#isHeadDue = client.pushes.length > 0 || client.held !== undefined;
    this.#write();
    await this.#writing;
    // A full device tells by no write that its record was removed.
    const record = this.#record;
    const isGone = this.#hasFailed && record.isKept && !(await this.#storage.isThere());
    const isLost = this.#isLost && record.isKept;
    if (isGone && !isLost) record.removed();
    const above = record.isKept ? record.durablePush : 0;
    return record.lacking(this.#client(), above, false, isLost);
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
    const record = this.#record;
    const { held, id: recordId } = record;
    if (!record.isKept) return { client };
    const last = Math.max(record.durablePush, client.lastSent);
    const isLost = this.#isLost;
    // They have no number: those that the record has would be sent twice, by this page and by another one.
    const isPart = client.held !== undefined && !held.has(client.held);
    if (isPart && !isLost && !(await this.#storage.removeHeld())) return { recordId };
    return { held: record.lacking(this.#client(), last, true, isLost), recordId };
  }

  /** Stops at once, and removes the record. */
  discard(): void {
    this.#record.removed();
    if (this.#hasFailed) return;
    this.#fail();
    this.#storage.remove();
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
    const record = this.#record;
    try {
      while (!this.#hasFailed) {
        // What this turn still does is in the same write.
        if (this.#isBaseDue) await this.#storage.compact();
        if (this.#isLost) return;
        const batch = this.#nextWrite();
        if (batch === undefined) return;
        if (!(await this.#storage.write(batch))) {
          const isOthers = record.keepsEdits && (await this.#storage.isThere());
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

  /** Returns undefined if there is nothing to write. */
  #nextWrite(): RecordWrite | undefined {
    const savedAt = this.#isBaseDue ? this.#owner.now() : undefined;
    const isHeadDue = this.#isHeadDue;
    this.#isBaseDue = this.#isHeadDue = false;
    return this.#record.write(this.#client(), savedAt, isHeadDue);
  }

  #fail(): void {
    this.#hasFailed = true;
    this.#cancelBase?.();
    // They will not be written.
    this.#record.moves.freeWaiting();
  }

  #failWith(cause: unknown): void {
    if (this.#hasFailed) return;
    this.#fail();
    this.#removeHeld();
    // If the page was put aside since, another one may have it.
    if (cause === undefined && !this.#isLost && !this.#record.head.isSaid) this.#record.removed();
    this.#owner.onFailed(cause);
  }

  /**
   * Removes held edits that are held no more, from a record that cannot be written: they have no number, so a later page would send
   * them once more. A full device allows that. Where it fails too, nothing else is left than to go on.
   */
  #removeHeld(): void {
    if (!this.#record.held.mayBeStored || this.#client().held !== undefined) return;
    this.#isRemovingHeld = true;
    void this.#storage.removeHeld().then(() => {
      this.#isRemovingHeld = false;
      this.#owner.onDurable();
    });
  }
}
