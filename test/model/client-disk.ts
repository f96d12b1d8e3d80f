import type { Changes } from '../../src/protocol/changes.ts';
import type { OfflineDevice } from '../../src/client/offline/durable-outbox.ts';
import { decodeEdits, keysOfUser, RecordKeys } from '../../src/client/offline/client-record.ts';
import type {
  LastWrite,
  OfflineLocks,
  OfflineStorage,
  OfflineWrite,
} from '../../src/client/offline/offline-storage.ts';
import { Deferred } from '../support/deferred.ts';
import { MemoryLocks } from '../support/offline-doubles.ts';
import type { EditLedger } from './edit-ledger.ts';
import type { Occurrence, Source } from './world.ts';

const START_MILLISECONDS = 10_000;
const LONG_WAIT_MILLISECONDS = 1000;
/** The weight of a write that nobody waits for, on a device that puts it off. */
const LAZY_WEIGHT = 0.1;
/** A year. */
const LOST_MILLISECONDS = 31_536_000_000;

interface Write {
  readonly tab: object;
  /** The page that has said it as it ended, if another one does it. */
  readonly saidBy?: object;
  /** Somebody waits for it. */
  isStrict: boolean;
  readonly change: Pick<OfflineWrite, 'remove' | 'set'>;
  readonly effect: () => boolean;
  readonly settle: (isDone: boolean) => void;
  /** Resolves when it is done or will never be. */
  readonly over: Deferred<void>;
}

/** The memory of a tab: the last client id of each scope. */
export type TabMemory = Record<string, string>;

/** The storage of one browser, for all of its tabs: each write as a whole, durable when the scheduler says so. */
export class ClientDisk implements Source {
  readonly entries: Map<string, string> = new Map();
  /** True if a write that is not strict says too early that it is durable: a power failure undoes it. */
  isHasty = false;
  /** False: nobody can tell if a tab has ended. */
  hasLocks = true;
  /** True if a power failure sets the clock of the device back. */
  isClockLost = false;
  /** True while it takes no more. */
  isFull = false;
  /** The ledgers of all tabs, by user. */
  readonly ledgers: Map<string | undefined, Set<EditLedger>> = new Map();
  /** Of the clock of the world: a page waits for a lock that its session before still has. */
  after: ((milliseconds: number, callback: () => void) => () => void) | undefined;
  /** Called when a tab writes to a record that its user has cleared. */
  onWriteAfterClear: (text: string) => void = () => undefined;
  /** Called when everything of a user was removed. */
  onCleared: (user: string | undefined) => void = () => undefined;
  readonly #name: string;
  readonly #locks = new MemoryLocks();
  #writes: Write[] = [];
  readonly #dead = new WeakSet<object>();
  /** The last words of pages, by the head of their record. */
  readonly #last = new Map<object, Map<string, LastWrite>>();
  /** The pages that their browser keeps for its "back" button, each with a promise that resolves when it comes back. */
  readonly #aside = new Map<object, Promise<void>>();
  readonly #ends = new WeakMap<object, Set<(isEnding: boolean) => void>>();
  /** The number of times that the removal of everything of a user has begun, or has taken effect. */
  readonly #clears = new Map<string | undefined, number>();
  /** Called when a lock is free, or a wait for one is over. */
  readonly #waiting = new Set<() => void>();
  /** The ids of records that were cleared. */
  readonly #cleared = new Set<string | undefined>();
  /** The time that the device has needed to start again after power failures, or that its clock has lost. */
  #skewMilliseconds = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** The device as one tab sees it. `lastClient` is the memory of the tab, which a copy of it has too. */
  deviceOf(tab: object, lastClient: TabMemory, now: () => number, user?: string): OfflineDevice {
    const storage: OfflineStorage = {
      read: (prefix) => {
        this.#writeLeft(tab);
        return this.#unlessDead(tab, this.read(prefix));
      },
      write: (write) => this.write(tab, write),
      writeLast: (write) => {
        const said = this.#last.get(tab) ?? new Map<string, LastWrite>();
        this.#last.set(tab, said.set(write.guard.key, write));
      },
    };
    return {
      user,
      storage: async () => storage,
      locks: this.hasLocks ? this.#locksUnlessDead(tab) : undefined,
      lastClient: {
        get: (scope) => lastClient[scope],
        set: (scope, id) => {
          lastClient[scope] = id;
        },
      },
      now: () => now() + this.#skewMilliseconds,
      onEnd: (callback) => {
        const listeners = this.#ends.get(tab) ?? new Set();
        this.#ends.set(tab, listeners.add(callback));
        return () => listeners.delete(callback);
      },
    };
  }

  /** The unconfirmed edits of one scope on disk: a user, a room, and a prefix. */
  editsOf(scope: string): readonly Changes[] {
    const keys = new RecordKeys(scope);
    const records = new Map<string, Map<string, string>>();
    for (const [key, text] of this.entries) {
      if (!key.startsWith(keys.edits)) continue;
      const id = keys.recordOf(key);
      records.set(id, (records.get(id) ?? new Map<string, string>()).set(key, text));
    }
    const edits: Changes[] = [];
    for (const record of records.values()) {
      const { pushes, held } = decodeEdits(record);
      for (const { changes } of pushes) edits.push(changes);
      if (held !== undefined) edits.push(held);
    }
    return edits;
  }

  /** A tab removes everything that is kept for a user. It may remove its own record before. */
  clear(tab: object, user: string | undefined): void {
    const remove = keysOfUser(user);
    const keys = (): string[] => [...this.entries.keys()].filter((key) => key.startsWith(remove));
    const before = keys();
    const count = (): unknown => this.#clears.set(user, this.clearsOf(user) + 1);
    // If the tab dies now, only its own record may be gone.
    count();
    void this.write(tab, { remove: [remove], set: new Map(), isStrict: true }, () => {
      for (const key of [...before, ...keys()]) {
        this.#cleared.add(recordOf(key));
        this.entries.delete(key);
      }
      count();
      this.onCleared(user);
    });
  }

  clearsOf(user: string | undefined): number {
    return this.#clears.get(user) ?? 0;
  }

  /** True if the record of that client was cleared, and no page has begun it anew. */
  hasCleared(clientId: string | undefined): boolean {
    return clientId !== undefined && this.#cleared.has(clientId);
  }

  /** True if that record has a head. */
  hasRecord(recordId: string | undefined): boolean {
    return [...this.entries.keys()].some((key) => key.endsWith(`]h${recordId}`));
  }

  /** The tab is told that it is about to end. */
  end(tab: object): void {
    for (const listener of this.#ends.get(tab) ?? []) listener(true);
  }

  /**
   * The browser keeps the page for its "back" button: it is told that it is about to end, its locks are free, and it hears nothing. The
   * returned function lets it come back.
   */
  putAside(tab: object): () => void {
    const back = new Deferred<void>();
    this.end(tab);
    this.#aside.set(tab, back.promise);
    const tell = this.#locks.takeAway(tab);
    this.#freed();
    return () => {
      this.#aside.delete(tab);
      tell();
      for (const listener of this.#ends.get(tab) ?? []) listener(false);
      back.resolve();
    };
  }

  /** The tab dies; of its writes on their way, some still take effect, and the last one does unless the power fails. */
  crash(tab: object, effects: number): void {
    const writes = this.#writes.filter((write) => write.tab === tab);
    this.#writes = this.#writes.filter((write) => write.tab !== tab);
    for (const { effect } of writes.slice(0, effects)) effect();
    // What it has said before comes before that.
    for (const { saidBy, effect, over } of this.#writes)
      if (saidBy === tab) {
        effect();
        over.resolve();
      }
    this.#writes = this.#writes.filter(({ saidBy }) => saidBy !== tab);
    if (!this.isHasty) for (const last of this.#last.get(tab)?.values() ?? []) this.#putLast(last);
    this.#last.delete(tab);
    for (const { over } of writes) over.resolve();
    if (this.isHasty)
      this.#skewMilliseconds += this.isClockLost ? -LOST_MILLISECONDS : START_MILLISECONDS;
    this.#dead.add(tab);
    this.#locks.end(tab);
    this.#freed();
  }

  writesInFlight(tab: object): number {
    return this.#writes.filter((write) => write.tab === tab).length;
  }

  *occurrences(): Iterable<Occurrence> {
    if (this.#writes.length === 0) return;
    yield {
      label: `${this.#name} disk`,
      weight: this.isHasty && !this.#writes.some(({ isStrict }) => isStrict) ? LAZY_WEIGHT : 3,
      happen: () => {
        const write = this.#writes.shift();
        const isDone = write?.effect() === true;
        const back = write && this.#aside.get(write.tab);
        if (back === undefined) write?.settle(isDone);
        else void back.then(() => write?.settle(isDone));
        write?.over.resolve();
      },
    };
  }

  #locksUnlessDead(tab: object): OfflineLocks {
    const locks = this.locksOf(tab);
    return {
      take: (name, milliseconds, onLost) =>
        this.#dead.has(tab)
          ? forever()
          : this.#unlessDead(tab, this.#take(tab, locks, name, milliseconds, onLost)),
    };
  }

  /** Waits only if it is for long: the record of a living page is not worth a wait. */
  async #take(
    tab: object,
    locks: OfflineLocks,
    name: string,
    milliseconds: number,
    onLost: (() => void) | undefined,
  ): Promise<(() => void) | undefined> {
    let isOver = milliseconds < LONG_WAIT_MILLISECONDS;
    const cancel = isOver ? undefined : this.after?.(milliseconds, () => (isOver = this.#freed()));
    for (;;) {
      if (this.#dead.has(tab) || this.#aside.has(tab)) return undefined;
      const release = await locks.take(name, milliseconds, onLost);
      if (release !== undefined) {
        cancel?.();
        return () => {
          release();
          this.#freed();
        };
      }
      if (isOver || cancel === undefined) return undefined;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Those that wait for a lock try again. */
  #freed(): true {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
    return true;
  }

  /** A dead tab hears of nothing, and one that is put aside only when it comes back. */
  async #unlessDead<T>(tab: object, promise: Promise<T>): Promise<T> {
    const answer = await promise;
    const back = this.#aside.get(tab);
    if (back !== undefined) await back;
    return this.#dead.has(tab) ? forever() : answer;
  }

  /** Returns what an entry has when all writes that were called before have taken effect. */
  #valueToCome(key: string): string | undefined {
    let value = this.entries.get(key);
    for (const { change } of this.#writes) {
      if (change.remove.some((prefix) => key.startsWith(prefix))) value = undefined;
      value = change.set.get(key) ?? value;
    }
    return value;
  }

  #put({ remove, set }: Pick<OfflineWrite, 'remove' | 'set'>): void {
    for (const prefix of remove)
      for (const key of this.entries.keys()) if (key.startsWith(prefix)) this.entries.delete(key);
    for (const [key, value] of set) this.entries.set(key, value);
  }

  #putLast(last: LastWrite): void {
    const { key, values } = last.guard;
    if (!values.includes(this.entries.get(key))) return;
    this.#put(last);
    // It was said now: the record is one that was begun after that.
    if (values.includes(undefined)) this.#cleared.delete(recordOf(key));
  }

  /** Does what pages have said as they ended before another one reads. Several may do the same. */
  #writeLeft(reader: object): void {
    for (const [tab, said] of this.#last) {
      if (tab === reader) continue;
      for (const [key, last] of said)
        this.#writes.push({
          tab: {},
          saidBy: tab,
          isStrict: true,
          change: last,
          effect: () => {
            // It was done meanwhile, or the page has said more.
            if (said.get(key) !== last) return true;
            said.delete(key);
            this.#putLast(last);
            return true;
          },
          settle: () => undefined,
          over: new Deferred(),
        });
    }
  }

  protected locksOf(tab: object): OfflineLocks {
    return this.#locks.of(tab);
  }

  /** A read comes after all writes that were called before. */
  protected async read(prefix: string): Promise<ReadonlyMap<string, string>> {
    const last = this.#writes.at(-1);
    if (last !== undefined) last.isStrict = true;
    await last?.over.promise;
    return new Map([...this.entries].filter(([key]) => key.startsWith(prefix)));
  }

  protected write(
    tab: object,
    { guard, remove, set, isStrict }: OfflineWrite,
    onBegin?: () => void,
  ): Promise<boolean> {
    if (this.#dead.has(tab)) return forever();
    if (this.isFull && set.size > 0)
      return Promise.reject(new DOMException('The disk is full.', 'QuotaExceededError'));
    const said = new Map(this.#last.get(tab));
    const effect = (): boolean => {
      if (guard !== undefined && this.entries.get(guard.key) !== guard.value) return false;
      onBegin?.();
      this.#put({ remove, set });
      // A page has begun after that, with an id of before.
      if (guard !== undefined && guard.value === undefined)
        this.#cleared.delete(recordOf(guard.key));
      for (const key of set.keys())
        if (this.#cleared.has(recordOf(key))) this.onWriteAfterClear(key);
      // It has not ended, and its record has that by now.
      const last = this.#last.get(tab);
      for (const [head, write] of said) if (last?.get(head) === write) last.delete(head);
      return true;
    };
    return new Promise((settle) => {
      const isMet = guard === undefined || this.#valueToCome(guard.key) === guard.value;
      this.#writes.push({
        ...{ tab, effect, settle },
        isStrict: isStrict === true,
        change: { remove, set },
        over: new Deferred(),
      });
      if (this.isHasty && isStrict !== true) settle(isMet);
    });
  }
}

function recordOf(key: string): string | undefined {
  return /\][hbe]([\w-]{22})/.exec(key)?.[1];
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}
