import type { HostAlarms } from '../../src/server/features/lifecycle/host-alarms.ts';
import type { KeyValueStorage } from '../../src/server/storage/key-value-storage.ts';
import type { Leaf } from '../../src/protocol/leaf.ts';
import { LeafMap } from '../../src/protocol/leaf-map.ts';
import type { Cursor, SeedCorrection } from '../../src/protocol/messages.ts';
import { decodeLogRow, type LogEntry } from '../../src/server/storage/log-row.ts';
import { decodeContent } from '../../src/protocol/codec.ts';
import type { RoomDocument } from '../../src/protocol/room-handle.ts';
import { RoomStorage } from '../../src/server/storage/room-storage.ts';
import type { LoadedRoom } from '../../src/server/storage/stored-room.ts';
import { StorageKeys } from '../../src/server/storage/storage-keys.ts';
import { StrictStorage } from '../support/strict-storage.ts';
import type { Choices } from './choices.ts';
import type { Branch, Journal } from './journal.ts';
import { describeDifferences, differences, leafName } from './leaves.ts';
import { OutputGate } from './output-gate.ts';
import { givenIdOf } from './sim-gate.ts';
import type { WriteStyle } from './traits.ts';
import { type Occurrence, PropertyFailure, type Source, type World } from './world.ts';
import { entriesOf, type Written } from '../support/written.ts';

/** A disk as it once was, and what the observer knew of it then. */
export interface DiskCopy {
  readonly storage: StrictStorage;
  readonly branch: Branch;
}

interface Call {
  readonly run: () => void;
  readonly isRead: boolean;
}

/** What a disk is like. */
export interface DiskTraits {
  /** Before the room's keys. */
  readonly prefix: string;
  /** How eagerly it works. */
  readonly diskWeight: number;
  readonly writeStyle: WriteStyle;
  /** Before its label; undefined if it is the only one. */
  readonly name?: string;
  /** True if days may pass by the room's clock: it then removes records of clients (ONCE-5). */
  readonly hasDays?: boolean;
}

/** The row of the versions that hooks have had. */
const SAVED_KEY = '@tinybase-partykit/saved';

/** The row of the room's id. */
const ROOM_ID_KEY = '@tinybase-partykit/room-id';

/** The key of the alarm of the host: a crash leaves the first of its writes, too. */
const ALARM_KEY = '@host/alarm';

/** Reading is hardly ever what anybody waits for. */
const READ_WEIGHT = 20;

/** The room's disk: calls take effect when the scheduler says so, and an observer reads along what is on it. */
export class Disk implements Source {
  readonly journal: Journal;
  /** What the disk holds now belongs to this branch; undefined while there is no Store. */
  branch: Branch | undefined;
  /** Entries that a restored copy brought back: the disk had lost them meanwhile, so the room may have told somebody that it has not. */
  readonly returned: Set<LogEntry> = new Set();
  /** What the room was asked to restore. */
  readonly documents: RoomDocument[] = [];
  readonly #world: World;
  readonly #weight: number;
  readonly #keys: StorageKeys;
  readonly #prefix: string;
  readonly #writeStyle: WriteStyle;
  readonly #hasDays: boolean;
  readonly #label: string;
  /** Of the process that there is. */
  gate: OutputGate = new OutputGate();
  /** Called when a write failed that had settled early: the host ends the process. */
  onBroken: () => void = () => undefined;
  /** The time of the host's alarm, as it is on disk; null if none is set. */
  alarm: number | null = null;
  /** Called whenever rows of hooks, or an alarm, are written, with how many. */
  onHookRows: (rows: number) => void = () => undefined;
  /** Called when a write failed. */
  onFailure: () => void = () => undefined;
  /** Called with the row of the versions that hooks have had. */
  onSaved: (row: unknown) => void = () => undefined;
  #storage: StrictStorage;
  #calls: Call[] = [];
  #isReading = false;
  #highestRow = 0;
  /** The number of calls in flight that remove the Store. */
  #removals = 0;

  constructor(
    world: World,
    journal: Journal,
    { prefix, diskWeight, writeStyle, name, hasDays }: DiskTraits,
  ) {
    this.#world = world;
    this.#hasDays = hasDays === true;
    this.#label = name === undefined ? 'disk' : `${name} disk`;
    this.#writeStyle = writeStyle;
    this.journal = journal;
    this.#prefix = prefix;
    this.#weight = diskWeight;
    this.#keys = new StorageKeys(prefix);
    this.#storage = new StrictStorage({ defer: (run) => this.#defer(run) });
  }

  /** True while nothing is on its way to the disk. */
  get isIdle(): boolean {
    return this.#calls.length === 0;
  }

  /** True while a call that removes the Store has not settled yet. */
  get isBeingEmptied(): boolean {
    return this.#removals > 0;
  }

  *occurrences(): Iterable<Occurrence> {
    if (this.#calls.length === 0) return;
    const weight = this.#calls[0]?.isRead === true ? READ_WEIGHT : this.#weight;
    yield { label: this.#label, weight, happen: () => this.#calls.shift()?.run() };
  }

  /** The disk as one process has it, to be of no use to it once it has died. */
  open(): KeyValueStorage {
    const storage = this.#storage;
    const gate = (this.gate = new OutputGate());
    const put = (written: Written, value?: unknown): Promise<void> => {
      const entries = entriesOf(written, value);
      this.onHookRows(hookRowsIn(entries));
      return this.#put(storage, entries);
    };
    return {
      get: (keys) => this.#read(() => storage.get(keys)),
      list: async (options) => {
        const rows = await this.#read(() => storage.list(options));
        rows.delete(ALARM_KEY);
        return rows;
      },
      delete: (keys) => this.#delete(storage, keys),
      ...(this.#writeStyle !== 'on disk' && {
        // As any call, it takes its turn after those before it.
        sync: async () => void (await storage.get([])),
      }),
      put:
        this.#writeStyle !== 'early'
          ? put
          : (written: Written, value?: unknown) => {
              gate.begin();
              put(written, value).then(
                () => gate.end(),
                () => {
                  if (gate === this.gate) this.onBroken();
                },
              );
              return Promise.resolve();
            },
    };
  }

  /** The host's alarm, for one process, which has that storage. */
  alarmsOf(storage: KeyValueStorage): HostAlarms {
    return {
      get: async () => {
        const time = (await storage.get([ALARM_KEY])).get(ALARM_KEY);
        return typeof time === 'number' ? time : null;
      },
      set: (time) => storage.put(ALARM_KEY, time),
      delete: async () => void (await storage.delete([ALARM_KEY])),
    };
  }

  async #put(storage: StrictStorage, entries: Record<string, unknown>): Promise<void> {
    try {
      await storage.put(entries);
    } catch (error) {
      this.onFailure();
      // Whether it took effect is for whoever reads the disk to find out.
      if (storage === this.#storage) await this.#readAll();
      throw error;
    }
    if (storage === this.#storage) await this.#written(entries);
  }

  async #delete(storage: StrictStorage, keys: string[]): Promise<number> {
    if (keys.includes(ALARM_KEY)) {
      const deleted = await storage.delete(keys);
      if (storage === this.#storage) this.alarm = null;
      return deleted;
    }
    if (!keys.includes(this.#keys.manifest)) return await storage.delete(keys);
    return await this.#remove(storage, () => storage.delete(keys));
  }

  /** Calls what removes the Store, and sees what became of it. */
  async #remove<T>(storage: StrictStorage, call: () => Promise<T>): Promise<T> {
    this.#removals += 1;
    try {
      return await call();
    } finally {
      if (storage === this.#storage) {
        this.#removals -= 1;
        // What failed may have taken effect all the same.
        const { manifest } = this.#keys;
        const rows = await storage.copy().get([manifest, ALARM_KEY]);
        this.alarm = alarmIn(rows);
        if (!rows.has(manifest)) {
          this.branch = undefined;
          this.#highestRow = 0;
        }
      }
    }
  }

  #defer(run: () => void): void {
    this.#calls.push({ run, isRead: this.#isReading });
  }

  #read<T>(read: () => Promise<T>): Promise<T> {
    this.#isReading = true;
    try {
      return read();
    } finally {
      this.#isReading = false;
    }
  }

  /** Content that somebody is given has to be what is on disk. */
  checkContent(cursor: Cursor, content: LeafMap<Leaf>): void {
    const written = this.journal.contentAt(cursor);
    const found = written === undefined ? undefined : differences(content, written);
    if (found?.length === 0) return;
    const what =
      found === undefined ? 'is not on disk' : `is not as on disk: ${describeDifferences(found)}`;
    this.#world.fail(
      new PropertyFailure('durable', `what was loaded, version ${cursor.version}, ${what}`),
    );
  }

  /**
   * Checks that whoever gave a seed is told of each part that is not the room's initial content (SEED-4). If nothing became of the
   * seed, that content is what the room's Store shows by itself: defaults of its schema.
   */
  checkSeed(seed: LeafMap<Leaf>, told: SeedCorrection | undefined, shown: LeafMap<Leaf>): void {
    const firsts = [this.branch?.contents[1] ?? shown];
    // Somebody may have restored the room since.
    for (const { contents } of this.journal.branches())
      if (contents[1] !== undefined) firsts.push(contents[1]);
    seed.forEach((leaf, table, row, cell) => {
      const isTold = told?.correction.leaves.has(table, row, cell) ?? false;
      if (isTold || firsts.some((first) => first.get(table, row, cell) === leaf)) return;
      const what = `${leafName(table, row, cell)} = ${String(leaf)} of a seed was refused without a word`;
      this.#world.fail(new PropertyFailure('correction', what));
    });
  }

  /** The next writes fail; some of them take effect all the same. */
  failWrites(count: number, takesEffect: boolean): void {
    this.#storage.failWrites(count, { takesEffect });
  }

  /**
   * The process that writes dies; of the calls in flight, some still take effect, or none. The host may have another alarm
   * then.
   */
  async crash(
    choices?: Choices,
    changeAlarm?: (alarm: number | null) => number | null,
  ): Promise<void> {
    const storage = this.#storage;
    this.gate.break();
    storage.freeze(choices?.below(storage.inFlight + 1), {
      stopsAtFailure: this.#writeStyle === 'early',
    });
    this.#replace(storage.copy({ defer: (run) => this.#defer(run) }));
    if (changeAlarm !== undefined) await this.#changeAlarm(changeAlarm);
    await this.#readAll();
    this.#removals = 0;
  }

  async #changeAlarm(change: (alarm: number | null) => number | null): Promise<void> {
    const values = await this.#storage.copy().list({});
    const alarm = change(alarmIn(values));
    if (alarm === null) values.delete(ALARM_KEY);
    else values.set(ALARM_KEY, alarm);
    this.#replace(new StrictStorage({ defer: (run) => this.#defer(run) }, values));
  }

  /** True if the room's id is on disk. */
  async hasRoomId(): Promise<boolean> {
    return (await this.#storage.copy().get([ROOM_ID_KEY])).has(ROOM_ID_KEY);
  }

  /** What is on disk now, for a process that starts beside this one. */
  copyStorage(): KeyValueStorage {
    return this.#storage.copy();
  }

  /** What is on disk now, to come back to. */
  copy(): DiskCopy | undefined {
    return (
      this.branch && { storage: this.#storage.copy(), branch: this.branch.copy(this.branch.epoch) }
    );
  }

  /** Puts an older copy back, under a name of its own if one is given. To be called while no process runs. */
  async restore(copy: DiskCopy, epoch: string = copy.branch.epoch): Promise<void> {
    const kept = new Set(this.branch?.entries);
    const values = new Map<string, unknown>();
    for (const [key, value] of await copy.storage.list({})) {
      values.set(
        key,
        key === this.#keys.manifest && typeof value === 'string'
          ? renameEpoch(value, epoch)
          : value,
      );
    }
    this.#replace(new StrictStorage({ defer: (run) => this.#defer(run) }, values));
    this.branch = copy.branch.copy(epoch);
    for (const entry of this.branch.entries) if (!kept.has(entry)) this.returned.add(entry);
    this.journal.add(this.branch);
    await this.#readAll();
  }

  /** The app deletes all, while the process runs. */
  async empty(): Promise<void> {
    const storage = this.#storage;
    await this.#remove(storage, () => storage.deleteAll());
  }

  /** All is deleted. To be called while no process runs. */
  wipe(): void {
    this.#replace(new StrictStorage({ defer: (run) => this.#defer(run) }));
    this.alarm = null;
    this.branch = undefined;
  }

  /** Reads the disk as a cold start would, and compares it with what the observer has seen being written. */
  async #readAll(): Promise<void> {
    try {
      const disk = this.#storage.copy();
      const loaded = await new RoomStorage(disk, { prefix: this.#prefix }).load();
      this.alarm = alarmIn(await disk.get([ALARM_KEY]));
      const rows = [...(await disk.list(this.#keys.rows)).keys()];
      this.#highestRow = Math.max(0, ...rows.map((key) => this.#keys.rowNumber(key) ?? 0));
      this.#compare(loaded);
    } catch (error) {
      this.#world.fail(error);
    }
  }

  #compare(loaded: LoadedRoom | undefined): void {
    if (loaded === undefined) {
      if (this.branch !== undefined && this.#removals === 0)
        throw new PropertyFailure('durable', 'the Store is not on disk any more');
      this.branch = undefined;
      return;
    }
    const { cursor, content, log, clients } = loaded;
    if (this.#removals > 0 && this.branch?.epoch !== cursor.epoch) this.branch = undefined;
    this.branch ??= this.journal.begin(cursor.epoch);
    const { branch } = this;
    if (branch.epoch !== cursor.epoch) {
      this.#compareRestored(loaded);
      return;
    }
    branch.begin(content, cursor.version - log.length);
    for (const entry of log) if (entry.version > branch.version) this.journal.append(branch, entry);
    branch.addClients(clients);
    const found = differences(content, branch.latest);
    if (branch.version !== cursor.version || found.length > 0) {
      throw new PropertyFailure(
        'durable',
        `version ${cursor.version} on disk, ${branch.version} seen: ${describeDifferences(found)}`,
      );
    }
  }

  /** The room may have been restored by its own code, to a document that it was given. */
  #compareRestored({ cursor, content, log, clients }: LoadedRoom): void {
    const isRestored = this.documents.some(
      (document) =>
        document.version === cursor.version &&
        differences(content, decodeContent(JSON.stringify(document.content)) ?? new LeafMap())
          .length === 0,
    );
    if (!isRestored || log.length > 0) {
      throw new PropertyFailure('durable', `version ${cursor.version} of another epoch is none`);
    }
    const kept = new Map([...clients].map(([id, { lastPush }]) => [givenIdOf(id), lastPush]));
    for (const [clientId, push] of this.branch?.lastPushes ?? []) {
      const isRemoved = this.#hasDays && !kept.has(clientId);
      if (!isRemoved && (kept.get(clientId) ?? 0) < push)
        throw new PropertyFailure('exactly once', `what ${clientId} has pushed is forgotten`);
    }
    this.branch = this.journal.begin(cursor.epoch);
    this.branch.begin(content, cursor.version);
    this.branch.addClients(clients);
  }

  async #written(entries: Record<string, unknown>): Promise<void> {
    if (ALARM_KEY in entries) this.alarm = Number(entries[ALARM_KEY]);
    if (SAVED_KEY in entries) this.onSaved(entries[SAVED_KEY]);
    const rows = Object.entries(entries).filter(
      ([key]) => (this.#keys.rowNumber(key) ?? 0) > this.#highestRow,
    );
    if (this.#keys.manifest in entries || rows.some(([, value]) => typeof value !== 'string')) {
      await this.#readAll();
      return;
    }
    try {
      for (const [key, value] of rows) {
        this.#highestRow = this.#keys.rowNumber(key) ?? 0;
        for (const entry of decodeLogRow(String(value)).entries) {
          if (this.branch !== undefined) this.journal.append(this.branch, entry);
        }
      }
    } catch (error) {
      this.#world.fail(error);
    }
  }

  #replace(storage: StrictStorage): void {
    this.#calls = [];
    this.#storage = storage;
    this.#highestRow = 0;
  }
}

/** Returns the number of rows of hooks, beside that of the app’s own alarm. */
function hookRowsIn(entries: Record<string, unknown>): number {
  return [SAVED_KEY, ROOM_ID_KEY, ALARM_KEY].filter((key) => key in entries).length;
}

function alarmIn(rows: ReadonlyMap<string, unknown>): number | null {
  const time = rows.get(ALARM_KEY);
  return typeof time === 'number' ? time : null;
}

function renameEpoch(manifest: string, epoch: string): string {
  const [first = '', ...lines] = manifest.split('\n');
  return [JSON.stringify({ ...(JSON.parse(first) as object), epoch }), ...lines].join('\n');
}
