import type { Leaf } from '../../../protocol/leaf.ts';
import type { LeafMap } from '../../../protocol/leaf-map.ts';
import type {
  FeatureHost,
  FeatureRoom,
  RoomCommit,
  RoomFeature,
  TakenCall,
} from '../../room/room-feature.ts';
import { AlarmSlot } from './alarm-slot.ts';
import type { HostAlarms } from './host-alarms.ts';
import { InitialStorageQuestion } from './initial-storage.ts';
import type { LifecycleHooks, LifecycleOptions } from './lifecycle-hooks.ts';
import { LifecycleSettings } from './lifecycle-settings.ts';
import { RoomSaves } from './room-saves.ts';
import { SavedCursors } from './saved-cursors.ts';
import { TakenMessages } from './taken-messages.ts';
import { UserVisits } from './user-visits.ts';

/** The row that has the room's id, which an alarm needs. */
interface StoredRoomId {
  readonly key: string;
  /** Stores the id, unless it is known to be stored. */
  store(): Promise<void>;
  /** Call this when the row was seen in storage. */
  noteStored(): void;
  /** Call this when the row was removed. */
  forgetStored(): void;
}

/** Everything that the hooks of a room take from the class that has them. */
export interface LifecyclePorts<Connection, Request> {
  readonly hooks: LifecycleHooks<Connection, Request>;
  readonly options: () => LifecycleOptions;
  readonly roomId: StoredRoomId;
  /** Undefined if the host has no alarms. */
  readonly alarms: HostAlarms | undefined;
  /** Reports an error of a hook. */
  readonly onHookError: (error: unknown) => void;
  readonly onStorageError: (error: unknown) => void;
  readonly onConfigError: (error: unknown) => void;
}

/** The storage and lifecycle hooks of a room: `SAVE-1` to `SAVE-9`. */
export class RoomLifecycle<Connection extends object, Request> implements RoomFeature<
  Connection,
  Request
> {
  /** Set only if the app has the hook: a room without it need not ask. */
  readonly initialContent?: () => Promise<LeafMap<Leaf> | undefined>;
  readonly #ports: LifecyclePorts<Connection, Request>;
  readonly #settings: LifecycleSettings;
  readonly #room: FeatureRoom<Connection>;
  readonly #cursors: SavedCursors;
  readonly #alarm: AlarmSlot;
  readonly #saves: RoomSaves<Connection, Request>;
  readonly #visits: UserVisits<Connection>;
  readonly #messages: TakenMessages<Connection>;
  /** True if the first version of the next load came from the app's own database. */
  #isHydrated = false;
  #isDisposed = false;
  #isRead = false;
  /** The number of times that the app has emptied the storage. */
  #emptyings = 0;
  #reading: Promise<void> | undefined;

  constructor(
    host: Pick<FeatureHost<Connection, Request>, 'addFeature'>,
    ports: LifecyclePorts<Connection, Request>,
  ) {
    const { hooks, onHookError: report, onStorageError, alarms, roomId } = ports;
    this.#ports = ports;
    this.#settings = new LifecycleSettings(ports.options, ports.onConfigError);
    const settings = this.#settings;
    // The room asks for the content of features that have this method.
    if (hooks.getInitialStorage !== undefined)
      this.initialContent = async () => {
        const content = await question.ask();
        this.#isHydrated = content !== undefined;
        return content;
      };
    const room = host.addFeature(this);
    const question = new InitialStorageQuestion(room, hooks, settings, report);
    const cursors = new SavedCursors(room);
    this.#room = room;
    this.#cursors = cursors;
    this.#alarm = new AlarmSlot({
      alarms,
      room,
      beforeFirst: () =>
        Promise.all([roomId.store(), cursors.isStored ? undefined : cursors.write()]),
      report: onStorageError,
    });
    this.#visits = new UserVisits(room, hooks, report);
    this.#messages = new TakenMessages(room, hooks, report);
    this.#saves = new RoomSaves({
      room,
      hooks,
      settings,
      cursors,
      alarm: this.#alarm,
      forgetStored: () => this.#forgetStored(),
      report,
    });
  }

  /** True if the room saves or empties, and so needs rows and alarms. */
  get isSaving(): boolean {
    const { hooks } = this.#ports;
    return (
      hooks.onStorageUpdated !== undefined ||
      hooks.onRoomDeleted !== undefined ||
      this.#settings.isEphemeral
    );
  }

  /** True if nothing of the room is left, and it needs not be loaded for an alarm. */
  get isDisposed(): boolean {
    return this.#isDisposed && !this.#alarm.hasAppTime;
  }

  loaded(): void {
    this.#isDisposed = false;
    if (this.isSaving) void this.#begin();
  }

  committed(commit: RoomCommit<Connection, Request>): void {
    if (this.isSaving) this.#saves.committed(commit);
    this.#messages.committed(commit);
  }

  taken(call: TakenCall, connection: Connection): void {
    this.#messages.taken(call, connection);
  }

  admitted(connection: Connection): void {
    this.#visits.admitted(connection);
    if (this.isSaving) this.#saves.admitted();
  }

  left(connection: Connection): void {
    if (this.isSaving) this.#saves.left();
    this.#visits.left(connection);
  }

  /** Takes an alarm. `handler` is the app's, which is called for alarms of the app (`SAVE-5`). */
  async alarmed(handler: () => Promise<void>): Promise<void> {
    await this.#read();
    const isOfApp = this.#alarm.take(this.#room.now());
    try {
      if (isOfApp) await this.#alarm.runApp(handler);
    } finally {
      await this.#saves.alarmed(!isOfApp);
    }
  }

  /** Sets an alarm again that came while the room could not be loaded: hosts give up after some attempts. */
  async postpone(): Promise<void> {
    await this.#alarm.postpone(this.#room.now() + this.#settings.saveAlarmMilliseconds);
  }

  /** The app sets its alarm. */
  async setAlarm(time: unknown, proceed: () => Promise<unknown>): Promise<unknown> {
    return await this.#alarm.setByApp(time, proceed);
  }

  /** The app asks for the time of its alarm. */
  async getAlarm(): Promise<number | null> {
    await this.#read();
    return this.#alarm.appTime;
  }

  /** The app deletes its alarm. */
  async deleteAlarm(proceed: () => Promise<unknown>): Promise<unknown> {
    return await this.#alarm.deleteByApp(proceed);
  }

  /** A transaction of the app begins. Returns what to call when it has been undone, which never rejects. */
  beginTransaction(): () => Promise<void> {
    const undo = this.#alarm.beginTransaction();
    return () => undo().catch((error: unknown) => this.#ports.onStorageError(error));
  }

  /** The app empties the whole storage. */
  storageEmptied(emptied: Promise<unknown>): void {
    this.#emptyings += 1;
    if (!this.isSaving) return;
    this.#saves.forget();
    this.#alarm.emptied(emptied).catch((error: unknown) => this.#ports.onStorageError(error));
  }

  /** Call it when rows that were stored may not be there any more. They are written again with the next alarm. */
  storageUndone(): void {
    this.#cursors.isStored = false;
  }

  async #begin(): Promise<void> {
    const { onStorageError, hooks } = this.#ports;
    try {
      await this.#read();
      const { cursor } = this.#room;
      if (this.#isHydrated && cursor !== undefined) {
        this.#isHydrated = false;
        this.#cursors.saved = { epoch: cursor.epoch, version: 1 };
        if (hooks.onStorageUpdated !== undefined) await this.#cursors.write();
      }
    } catch (error) {
      onStorageError(error);
      if (!this.#isRead) {
        this.#room.after(this.#settings.retryPause(1), () => void this.#begin());
        return;
      }
    }
    this.#saves.loaded();
  }

  /** Reads the rows, once. Rejects if storage fails. */
  async #read(): Promise<void> {
    if (this.#isRead) return;
    this.#reading ??= this.#readRows();
    try {
      await this.#reading;
    } finally {
      this.#reading = undefined;
    }
  }

  async #readRows(): Promise<void> {
    const { roomId } = this.#ports;
    const { key } = this.#cursors;
    let emptyings: number;
    let rows: ReadonlyMap<string, unknown>;
    do {
      emptyings = this.#emptyings;
      rows = await this.#room.storage.get([key, this.#alarm.key, roomId.key]);
      // The app may have emptied the storage meanwhile: what was read is not there any more.
    } while (emptyings !== this.#emptyings);
    if (typeof rows.get(roomId.key) === 'string') roomId.noteStored();
    this.#cursors.read(rows.get(key));
    await this.#alarm.read(rows.get(this.#alarm.key), !this.#cursors.isStored);
    this.#isRead = true;
  }

  async #forgetStored(): Promise<void> {
    const { roomId } = this.#ports;
    this.#isDisposed = true;
    const keys = [this.#cursors.key];
    // An alarm of the app needs the id.
    if (!this.#alarm.hasAppTime) {
      keys.push(roomId.key);
      roomId.forgetStored();
    }
    await this.#room.storage.delete(keys);
  }
}
