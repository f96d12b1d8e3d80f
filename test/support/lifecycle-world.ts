import type { LifecycleHooks } from '../../src/server/features/lifecycle/lifecycle-hooks.ts';
import type {
  LifecycleOptions,
  Save,
} from '../../src/server/features/lifecycle/lifecycle-hooks.ts';
import { alarmsOf } from '../../src/server/features/lifecycle/host-alarms.ts';
import { RoomLifecycle } from '../../src/server/features/lifecycle/room-lifecycle.ts';
import { RoomId } from '../../src/server/hosts/room-id.ts';
import { AlarmStorage } from './alarm-storage.ts';
import { FakeRoomHost, settle, type FakeConnection } from './fake-connection.ts';

type Hooks = LifecycleHooks<FakeConnection, unknown>;
const STEP_MILLISECONDS = 100;

/** A room with hooks, all of whose time is manual, and an app that has a database and alarms. */
export class LifecycleWorld {
  readonly hooks: Hooks;
  readonly options: LifecycleOptions;
  /** The events so far, in order. */
  readonly log: string[] = [];
  readonly errors: unknown[] = [];
  /** The times of the app's own alarms that came. */
  readonly appAlarms: number[] = [];
  storage: AlarmStorage;
  host: FakeRoomHost;
  lifecycle!: RoomLifecycle<FakeConnection, unknown>;
  /** The app's `onAlarm`. */
  onAlarm: () => Promise<void> = async () => undefined;

  constructor(
    hooks: Hooks,
    options: LifecycleOptions = {},
    storage: AlarmStorage = new AlarmStorage(),
  ) {
    this.hooks = hooks;
    this.options = options;
    this.storage = storage;
    this.host = new FakeRoomHost({}, storage);
    this.#attach();
  }

  /** A room that writes down what its hooks get. */
  static logging(options: LifecycleOptions = {}, hooks: Hooks = {}): LifecycleWorld {
    const world: LifecycleWorld = new LifecycleWorld(
      {
        onStorageUpdated: (save) => world.note('saved', save),
        onRoomDeleted: (save) => world.note('emptied', save),
        ...hooks,
      },
      options,
    );
    return world;
  }

  note(what: string, { version, content }: Save<unknown>): void {
    this.log.push(`${what} ${version} ${JSON.stringify(content[1])}`);
  }

  take(): string[] {
    return this.log.splice(0);
  }

  /** The host loads the room, as it does before every handler. */
  async start(): Promise<void> {
    await this.host.room.start();
    await settle();
  }

  /** Lets time pass, and the alarm come. */
  async pass(milliseconds: number): Promise<void> {
    for (let passed = 0; passed < milliseconds; passed += STEP_MILLISECONDS) {
      await this.host.pass(Math.min(STEP_MILLISECONDS, milliseconds - passed));
      await this.fireDue();
    }
  }

  async fireDue(): Promise<void> {
    const { alarm } = this.storage;
    if (alarm === null || alarm > this.host.time) return;
    this.storage.alarm = null;
    if (this.lifecycle.isDisposed) return;
    await this.start();
    const done = this.lifecycle.alarmed(async () => {
      this.appAlarms.push(this.host.time);
      await this.onAlarm();
    });
    void done.catch((error: unknown) => this.errors.push(error));
    await settle();
  }

  async connect(): Promise<FakeConnection> {
    await this.start();
    const connection = this.host.connect();
    await this.host.room.connected(connection, 'request');
    return connection;
  }

  async leave(connection: FakeConnection): Promise<void> {
    this.host.disconnect(connection);
    await settle();
  }

  set(value: unknown): void {
    this.host.room.store.setValue('v', value as string);
  }

  /** `kill -9`, and a new process some time later: no socket is left. */
  async restart(later = 0, hasAlarm = true): Promise<void> {
    this.storage.freeze();
    const { time } = this.host;
    this.storage = await this.storage.reopen(hasAlarm);
    this.host = new FakeRoomHost({}, this.storage);
    this.host.time = time + later;
    this.#attach();
  }

  /** The room loses its memory, and its sockets stay. */
  sleep(...connections: readonly FakeConnection[]): FakeConnection[] {
    const woken = this.host.hibernate(...connections);
    this.#attach();
    return woken;
  }

  /** The storage as the app has it. */
  get app(): Pick<AlarmStorage, 'setAlarm' | 'getAlarm' | 'deleteAlarm'> {
    const { lifecycle, storage } = this;
    return {
      setAlarm: async (time) => void (await lifecycle.setAlarm(time, () => storage.setAlarm(time))),
      getAlarm: () => lifecycle.getAlarm(),
      deleteAlarm: async () => void (await lifecycle.deleteAlarm(() => storage.deleteAlarm())),
    };
  }

  #attach(): void {
    const { hooks, storage } = this;
    const report = (error: unknown): void => void this.errors.push(error);
    this.lifecycle = new RoomLifecycle(this.host.room, {
      hooks,
      options: () => this.options,
      roomId: new RoomId({ id: 'the room', isIdDecoded: true }, storage, () => ''),
      alarms: alarmsOf(storage),
      onHookError: report,
      onStorageError: report,
      onConfigError: report,
    });
  }
}
