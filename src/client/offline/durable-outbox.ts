import type { Changes } from '../../protocol/changes.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { inTime } from '../../protocol/in-time.ts';
import type { Cursor, Welcome } from '../../protocol/messages.ts';
import type { LeftRecord, LeftSession } from '../replica/former-client.ts';
import type { PendingPush } from '../replica/pending-push.ts';
import type { RestoredSession } from '../session/session-ports.ts';
import type { Fold } from '../session/session-types.ts';
import { Adoption } from './adoption.ts';
import { claimRecord, lockOf, type RecordScope } from './claim-record.ts';
import { encodeHead, encodeHeld, RecordKeys, scopeOf } from './client-record.ts';
import {
  noAnswer,
  type LastWrite,
  type OfflineLocks,
  type OfflineStorage,
} from './offline-storage.ts';
import type { Outbox, OutboxOwner } from './outbox.ts';
import { RecordWriter, type RecordOwner } from './record-writer.ts';

/** The wait for a storage to open and to answer. */
const OPEN_MILLISECONDS = 5000;

/** Everything that outboxes take from a device. */
export interface OfflineDevice {
  readonly user: string | undefined;
  /** Opens the storage, once. */
  readonly storage: () => Promise<OfflineStorage>;
  readonly locks: OfflineLocks | undefined;
  /** The memory of a tab: the client that it had in a scope before it was loaded again. */
  readonly lastClient: {
    get(scope: string): string | undefined;
    set(scope: string, recordId: string): void;
  };
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Calls back with true when the page is about to end, and with false when it comes back. Returns a function that stops that. */
  readonly onEnd?: ((callback: (isEnding: boolean) => void) => () => void) | undefined;
  /** Told once to each app whose persister uses the device: it keeps less than the app may expect. */
  readonly lack?: string | undefined;
  /** As `writeLast` of the storage, while that is not open yet. */
  readonly writeLast?: OfflineStorage['writeLast'];
}

/** A record whose lock this page holds. */
export interface TakenRecord {
  readonly scope: RecordScope;
  readonly writer: RecordWriter;
  readonly lock: RecordLock;
}

/** The lock of a record, wherever that is handed on. */
interface RecordLock {
  release: () => void;
  onLost: () => void;
  /** The number of times that it was lost. */
  losses: number;
}

/** The record of this page, while it is written. */
interface OpenRecord extends TakenRecord {
  adoption: Adoption | undefined;
  /** True once the session has the name of the record. */
  isContinued: boolean;
}

/** An outbox whose pushes survive the page (OFFLINE-1 to OFFLINE-8). When the device fails, it works as one that keeps nothing. */
export class DurableOutbox implements Outbox {
  readonly user: string;
  readonly #device: OfflineDevice;
  readonly #owner: OutboxOwner;
  readonly #onEnded: () => void;
  #record: OpenRecord | undefined;
  /** Counts `open` and `stop`: what began before is outdated. */
  #life = 0;
  #confirmed = 0;
  /** The number of the next push that the room takes. */
  #expected = 0;
  #isReported = false;
  #isEnding = false;
  /** True if the app has cleared the device. */
  #isForgotten = false;
  #cancelEnd: (() => void) | undefined;
  /** The record that the edits of this page would have, until it is known which one they get. */
  #early: { readonly keys: RecordKeys; readonly recordId: string; isKept: boolean } | undefined;

  /** `onEnded` is called when the session is over: there is nothing to forget then. */
  constructor(device: OfflineDevice, owner: OutboxOwner, onEnded: () => void = () => undefined) {
    this.#device = device;
    this.#owner = owner;
    this.#onEnded = onEnded;
    this.user = JSON.stringify([device.user ?? null]);
  }

  async open(left: LeftSession): Promise<RestoredSession | undefined> {
    const { client: former } = left;
    // At once: no moment is left in which another page could take it.
    const handed = former?.record?.take();
    const taken = isTakenRecord(handed) && handed.writer.hasLock ? handed : undefined;
    const own = taken && this.#use(taken, (owner) => taken.writer.continueFor(owner)).writer;
    if (this.#isForgotten) {
      own?.discard();
      // It is not known yet whose its record was.
      if (own?.isLost === true) taken?.lock.onLost();
      return former && { client: former };
    }
    const life = (this.#life += 1);
    const { user, locks, onEnd } = this.#device;
    const { socket, prefix } = this.#owner;
    const keys = new RecordKeys(scopeOf(user, socket.address(), prefix));
    if (locks !== undefined)
      this.#early = { keys, recordId: this.#owner.client().clientId, isKept: false };
    this.#cancelEnd ??= onEnd?.((isEnding) => {
      this.#isEnding = isEnding;
      if (isEnding) this.#saveLast();
    });
    try {
      const { after } = this.#owner;
      return await inTime(this.#open(life, keys, left, taken), OPEN_MILLISECONDS, after, noAnswer);
    } catch (error) {
      if (life === this.#life) {
        this.#life += 1;
        // A slow device may still write it. This page has its lock, so nobody else goes on with it.
        if (own?.hasFailed === false) void this.#record?.adoption?.search();
        else {
          this.#endEarly();
          this.#report(OPEN_MESSAGE, error);
        }
      }
      return former && { client: own?.client ?? former };
    }
  }

  confirmed(): number {
    const writer = this.#record?.writer;
    return writer === undefined || writer.hasFailed ? this.#confirmed : writer.record.confirmed;
  }

  isGenerationDurable(generation: number): boolean {
    const record = this.#live();
    const isDurable =
      record === undefined ||
      (record.writer.isGenerationDurable(generation) &&
        record.adoption?.isFirst(generation) !== true);
    if (isDurable) this.#expected = this.#owner.replica.oldestUnanswered;
    return isDurable;
  }

  isPushDurable(number: number): boolean {
    return this.#isExpected(number) && (this.#live()?.writer.isPushDurable(number) ?? true);
  }

  /** Returns true if the room knows of every push before. A room takes pushes without gaps (ONCE-3). */
  #isExpected(number: number): boolean {
    const { replica, happened, state } = this.#owner;
    if (state().stage.phase === 'reduced') return true;
    const { pending, oldestUnanswered } = replica;
    // Those before the gap have to be answered first.
    if (pending[number - oldestUnanswered]?.number !== number) return false;
    if (oldestUnanswered <= this.#expected) return true;
    // A hello tells the room with which number the client goes on.
    happened('opened');
    return false;
  }

  answered(pushes: readonly PendingPush[]): void {
    const last = pushes.at(-1)?.number ?? 0;
    this.#confirmed = last || this.#confirmed;
    this.#expected = Math.max(this.#expected, last + 1);
    this.#record?.writer.answered(pushes);
  }

  folded(fold: Fold, cursor: Cursor | undefined): void {
    this.#record?.writer.folded(fold, cursor);
  }

  heard(welcome: Welcome): boolean {
    return this.#record?.adoption?.heard(welcome) ?? false;
  }

  save(held?: Changes): void {
    const writer = this.#live()?.writer;
    writer?.save(held);
    // Its edits are those of the record now. The page cannot end in between.
    if (writer !== undefined) this.#endEarly();
    if (this.#isEnding) this.#saveLast();
  }

  #saveLast(): void {
    const isLive = this.#live() !== undefined;
    this.#record?.writer.saveLast();
    if (!isLive) this.#saveEarly();
  }

  /** Keeps the edits of a page that ends before it knows its record. Nothing of them was sent. */
  #saveEarly(): void {
    const { held, lastNumber, generation } = this.#owner.client();
    if (this.#early === undefined || held === undefined) return;
    const { keys, recordId } = this.#early;
    this.#early.isKept = true;
    const key = keys.head(recordId);
    const head = encodeHead({ generation, lastNumber, savedAt: 0, clientId: undefined });
    const set = new Map([
      [key, head],
      [keys.held(recordId), encodeHeld(held)],
    ]);
    // Another page may have read what this one said before.
    this.#writeLast({ guard: { key, values: [undefined, head] }, remove: [], set });
  }

  #endEarly(): void {
    const early = this.#early;
    this.#early = undefined;
    if (early?.isKept !== true) return;
    // It does nothing, in the place of what was said.
    const guard = { key: early.keys.head(early.recordId), values: [] };
    this.#writeLast({ guard, remove: [], set: new Map() });
  }

  #writeLast(write: LastWrite): void {
    try {
      this.#device.writeLast?.(write);
    } catch (cause) {
      this.#report(LAST_MESSAGE, cause);
    }
  }

  stop(): LeftRecord | undefined {
    this.#life += 1;
    this.#confirmed = 0;
    // A session whose socket leads to another room opens its record there.
    const isOver = this.#owner.state().stage.phase === 'stopped';
    const record = this.#record;
    const isLive = this.#live() !== undefined;
    this.#record = undefined;
    record?.adoption?.stop();
    this.#cancelEnd?.();
    this.#cancelEnd = undefined;
    this.#endEarly();
    if (record === undefined || !isLive) {
      // What the session has not read is not its own.
      record?.lock.release();
      if (isOver) this.#onEnded();
      return undefined;
    }
    const { scope, writer, lock } = record;
    // The end of the page may cut off what is written now.
    const cancelEnd = this.#device.onEnd?.((isEnding) => {
      if (isEnding && !this.#isForgotten) writer.saveLast();
    });
    let isTaken = false;
    const end = (): void => {
      isTaken = true;
      cancelEnd?.();
      if (isOver) this.#onEnded();
    };
    return {
      lacking: writer.stop(),
      take: () => {
        end();
        return { scope, writer, lock };
      },
      free: async (onFree) => {
        await writer.settled();
        const left = isTaken ? undefined : await writer.leave();
        if (isTaken || left === undefined) return;
        end();
        onFree?.(left);
        lock.release();
      },
    };
  }

  leaveLost(): LeftSession {
    const { writer, lock } = this.#record ?? {};
    const { pushes, lastSent } = this.#owner.client();
    for (const { number } of pushes) {
      // The room may have it, and others may have changed that since.
      const isSent = number <= lastSent && number > (writer?.record.lastShared ?? Infinity);
      if (isSent) this.#owner.replica.withdraw(number, 'destroyed');
    }
    const left = writer?.leaveLost();
    lock?.release();
    this.#record = undefined;
    this.stop();
    return left ?? { client: this.#owner.client() };
  }

  /** The app has cleared the device: nothing is kept from now on. */
  forget(): void {
    this.#isReported = true;
    this.#isForgotten = true;
    this.#endEarly();
    this.#record?.adoption?.stop();
    this.#record?.writer.discard();
    this.#owner.happened('durable');
  }

  /** Returns the record, if it is that of the session. A session that had to take another name keeps its record (OFFLINE-6). */
  #live(): OpenRecord | undefined {
    const record = this.#record;
    if (record === undefined) return undefined;
    const { writer } = record;
    const { clientId } = this.#owner.client();
    if (writer.record.head.clientId === clientId) record.isContinued = true;
    // The session has not read it yet.
    else if (!record.isContinued) return undefined;
    else writer.rename(clientId);
    return record;
  }

  async #open(
    life: number,
    keys: RecordKeys,
    left: LeftSession,
    taken: TakenRecord | undefined,
  ): Promise<RestoredSession | undefined> {
    const { client: former, recordId: last } = left;
    const { locks, lack, lastClient, now } = this.#device;
    const scope = taken?.scope ?? { storage: await this.#device.storage(), locks, keys };
    await taken?.writer.settled();
    const fresh = former?.clientId ?? this.#owner.client().clientId;
    const preferred = former === undefined ? (last ?? lastClient.get(keys.scope)) : fresh;
    const lock: RecordLock = taken?.lock ?? {
      release: nothing,
      onLost: () => {
        lock.losses += 1;
      },
      losses: 0,
    };
    const { losses, release } = lock;
    // While no session had it.
    if (taken?.writer.isLost === true) lock.onLost();
    const held = taken && { recordId: taken.writer.record.id, release };
    const wanted = { fresh, preferred, onLost: () => lock.onLost() };
    const claimed = await claimRecord(scope, wanted, held);
    // After the last wait: a session that has ended meanwhile leaves no lock.
    if (life !== this.#life || this.#isForgotten) {
      if (taken === undefined) claimed?.release();
      return former && { client: former };
    }
    if (claimed === undefined) throw new Error('The lock of this page is taken.');
    if (lock.losses !== losses) {
      // The writer knows what this page has. Of what it has only read, another page may have the edits by now.
      if (taken !== undefined) return { client: taken.writer.client };
      // It may be one that was taken since.
      claimed.release();
      return await this.#open(life, keys, left, taken);
    }
    const { clientId, head, base, edits, problem } = claimed;
    lock.release = claimed.release;
    if (problem !== undefined) this.#tell(problem);
    if (lack !== undefined) this.#report(lack, undefined);
    const time = Math.ceil(now());
    const latest = Math.max(head?.lastNumber ?? 0, edits.pushes.at(-1)?.number ?? 0);
    // Higher than any before, even if the record is an old copy or has lost its latest pushes (OFFLINE-6, OFFLINE-9).
    const lastNumber = head === undefined ? latest : Math.max(latest, time);
    // An earlier session of this page knows more than the disk.
    const client = taken?.writer.client ??
      former ?? {
        clientId,
        generation: Math.max(head?.generation ?? 0, time),
        lastNumber,
        lastSent: lastNumber,
        pushes: edits.pushes,
        held: edits.held,
      };
    const record = this.#use(
      { scope, lock },
      (owner) => new RecordWriter(scope, claimed, client, owner),
    );
    // The device did not take the new id of the session before.
    if (client.clientId !== clientId) record.writer.rename(client.clientId);
    void record.adoption?.search();
    return { client, base };
  }

  /** Makes a record that of this session. */
  #use(
    { scope, lock }: Pick<TakenRecord, 'scope' | 'lock'>,
    write: (owner: RecordOwner) => RecordWriter,
  ): OpenRecord {
    const { locks, keys } = scope;
    const { now, lastClient } = this.#device;
    const { after, client, happened } = this.#owner;
    const writer = write({
      after,
      now,
      client,
      isContinued: () => record.isContinued,
      onDurable: () => happened('durable'),
      onLastFailed: (cause) => this.#report(LAST_MESSAGE, cause),
      onLost: () => void this.#lost(record),
      onFailed: (cause) => this.#failed(writer, cause),
    });
    const adoption = this.#adoptionFor(scope, writer);
    const record: OpenRecord = { scope, writer, adoption, lock, isContinued: false };
    this.#record = record;
    lock.onLost = () => writer.lose();
    if (locks !== undefined) lastClient.set(keys.scope, writer.record.id);
    return record;
  }

  #adoptionFor({ locks, ...scope }: RecordScope, writer: RecordWriter): Adoption | undefined {
    return locks && new Adoption({ ...scope, locks }, writer, this.#owner, this.#device.now);
  }

  /** The lock of the record was taken away: takes it again. If another page has used the record meanwhile, it has the edits (OFFLINE-14). */
  async #lost(record: OpenRecord): Promise<void> {
    const { scope, writer, lock } = record;
    if (this.#record !== record) return;
    record.adoption?.stop();
    const losses = (lock.losses += 1);
    const isPresent = (): boolean => this.#record === record && lock.losses === losses;
    let isOwn = false;
    try {
      // A page that holds it now has changed the head, or is about to.
      const release = await scope.locks?.take(lockOf(writer.record.id), 0, () => lock.onLost());
      if (!isPresent()) return release?.();
      if (release !== undefined) {
        lock.release = release;
        isOwn = (await writer.regain()) && isPresent();
      }
    } catch {
      // A record that cannot be read may be another page's.
    }
    if (isOwn) {
      if (!this.#isForgotten) record.adoption = this.#adoptionFor(scope, writer);
      void record.adoption?.search();
      this.#owner.happened('durable');
    } else if (isPresent() && writer.isLost) this.#owner.happened('taken');
  }

  #failed(writer: RecordWriter, cause: unknown): void {
    // It is known soon if another page has the record.
    if (writer.isLost) return;
    if (this.#record?.writer === writer) this.#record.adoption?.stop();
    for (const number of writer.record.moves.numbers)
      this.#owner.replica.withdraw(number, 'destroyed');
    this.#report(cause === undefined ? CLEARED_MESSAGE : WRITE_MESSAGE, cause);
    this.#owner.happened('durable');
  }

  #report(message: string, cause: unknown): void {
    this.#tell(new TinyBasePartyKitError('offline', message, { cause }));
  }

  /** Says once that something is wrong. */
  #tell(error: TinyBasePartyKitError): void {
    if (!this.#isReported) this.#owner.onError(error);
    this.#isReported = true;
  }
}

function nothing(): void {}

/** Only this package hands them on. */
function isTakenRecord(record: object | undefined): record is TakenRecord {
  return record !== undefined;
}

const OPEN_MESSAGE =
  'This device cannot keep offline data: its storage cannot be opened, as in some private windows. The persister works without.';
const LAST_MESSAGE =
  'The last edits of this page may be lost: as it ended, this device did not take them, for example because localStorage is full or forbidden.';
const WRITE_MESSAGE =
  'This device keeps no offline data any more: its storage cannot be written, for example because it is full. The persister works without.';
const CLEARED_MESSAGE =
  'The offline data of this page was removed, by clear() in another page for example. The persister works without. Create it again to keep data.';
