import type { FeatureRoom } from '../../room/room-feature.ts';
import type { HostAlarms } from './host-alarms.ts';

const KEY = '@tinybase-partykit/app-alarm';
/** A clock may be read a moment before the time of its alarm. */
const TOLERANCE_MILLISECONDS = 10;

/** The parts of a room that the slot uses. */
export interface AlarmSlotPorts {
  /** Undefined if the host has no alarms: then the room has its timers alone. */
  readonly alarms: HostAlarms | undefined;
  readonly room: Pick<FeatureRoom<never>, 'storage' | 'storagePrefix'>;
  /** Called before the first alarm of the room: whatever an alarm needs to know has to be stored. */
  readonly beforeFirst: () => Promise<unknown>;
  readonly report: (error: unknown) => void;
}

/**
 * The one alarm that a host has for a room, shared by the room and its app (`SAVE-5`). The earlier time is the host's. The
 * time of the app is a row in storage, so that a room that wakes knows whose alarm came.
 */
export class AlarmSlot {
  readonly #ports: AlarmSlotPorts;
  /** The time that the host has; null for none, undefined if unknown. */
  #hostTime: number | null | undefined;
  #appTime: number | undefined;
  #isAppKnown = false;
  /** The number of times that the app has changed its alarm. */
  #changes = 0;
  /** The time at which the room wants to be woken. */
  #roomTime: number | undefined;

  constructor(ports: AlarmSlotPorts) {
    this.#ports = ports;
  }

  get key(): string {
    return this.#ports.room.storagePrefix + KEY;
  }

  /** True if the app has set an alarm that did not come yet. */
  get hasAppTime(): boolean {
    return this.#appTime !== undefined;
  }

  /**
   * Takes the row from storage, and the time that the host has. `isFirst`: the room has never set an alarm here, so one that
   * is set is the app's, from before the room had such hooks.
   */
  async read(row: unknown, isFirst: boolean): Promise<void> {
    const time = (await this.#ports.alarms?.get()) ?? null;
    // The app may have set another one meanwhile.
    if (this.#hostTime === undefined) this.#hostTime = time;
    if (this.#isAppKnown) return;
    this.#isAppKnown = true;
    if (typeof row === 'number') this.#appTime = row;
    else if (row === undefined && isFirst && time !== null) {
      this.#appTime = time;
      await this.#ports.room.storage.put(this.key, time);
    }
    this.#arm();
  }

  /** Makes sure that an alarm wakes the room at that time at the latest. Undefined: the room needs none. */
  want(time: number | undefined): void {
    this.#roomTime = time;
    this.#arm();
  }

  /** Sets the app's alarm. `proceed` is the call of the app. */
  async setByApp(given: unknown, proceed: () => Promise<unknown>): Promise<unknown> {
    const time = given instanceof Date ? given.getTime() : given;
    // The host refuses it.
    if (typeof time !== 'number' || !Number.isFinite(time)) return await proceed();
    const before = this.#appTime;
    const changes = (this.#changes += 1);
    this.#appTime = time;
    this.#isAppKnown = true;
    const stored = this.#ports.room.storage.put(this.key, time);
    const next = Math.min(time, this.#roomTime ?? Infinity);
    this.#hostTime = next;
    // Asked for a later time, too, because the host may refuse it.
    const set = proceed().catch(async (error: unknown) => {
      if (changes === this.#changes) await this.#putBack(before);
      throw error;
    });
    const setForRoom = next === time ? undefined : this.#setForRoom(next);
    return await this.#changed(next, Promise.all([stored, setForRoom]), set);
  }

  /**
   * Deletes the app's alarm, before anything that the app does next. `proceed` is the call of the app. While the slot does not
   * know whose alarm the host has, the host keeps it: it may be the room's.
   */
  async deleteByApp(proceed: () => Promise<unknown>): Promise<unknown> {
    this.#changes += 1;
    if (this.#hostTime === undefined) {
      this.#appTime = undefined;
      this.#isAppKnown = true;
      // Not removed: the next process would take the alarm of the host for one that is older than the hooks.
      return await this.#ports.room.storage.put(this.key, null);
    }
    const forgotten = this.forgetApp();
    const isAlone = this.#roomTime === undefined;
    const set = isAlone ? proceed() : this.#setForRoom(this.#roomTime ?? 0);
    const next = isAlone ? null : this.#roomTime;
    this.#hostTime = next;
    return await this.#changed(next, forgotten, set);
  }

  /** Resolves to the host's answer. If the host fails, its alarm is unknown, and the room sets its own again. */
  async #changed(
    time: number | null | undefined,
    row: Promise<unknown>,
    set: Promise<unknown> | undefined,
  ): Promise<unknown> {
    try {
      const [, answer] = await Promise.all([row, set]);
      return answer;
    } catch (error) {
      if (this.#hostTime === time) this.#hostTime = null;
      this.#arm();
      throw error;
    }
  }

  /** The time of the app's alarm, once {@link AlarmSlot.read} has settled. */
  get appTime(): number | null {
    return this.#appTime ?? null;
  }

  /** Takes the alarm that has just come. Returns true if it is the app's. */
  take(now: number): boolean {
    this.#hostTime = null;
    return this.#appTime !== undefined && this.#appTime <= now + TOLERANCE_MILLISECONDS;
  }

  /** Runs the app's handler. If it throws, its alarm stays, so that the host tries again, unless the app has deleted it since. */
  async runApp(handler: () => Promise<void>): Promise<void> {
    const time = this.#appTime;
    const changes = this.#changes;
    // The handler may set its next alarm.
    this.#appTime = undefined;
    try {
      await handler();
      if (this.#appTime === undefined) await this.forgetApp();
    } catch (error) {
      if (changes === this.#changes) this.#appTime = time;
      throw error;
    }
  }

  /** Sets an alarm of the room's own in place of one that came while the room could not be loaded. */
  async postpone(time: number): Promise<void> {
    const { alarms, room } = this.#ports;
    // The next process would take it for one of the app, which may have deleted its own meanwhile.
    const isRooms = this.#isAppKnown && this.#appTime === undefined;
    await Promise.all([alarms?.set(time), isRooms ? room.storage.put(this.key, null) : undefined]);
  }

  /**
   * Call this when a transaction of the app begins. Returns what to call when it has been undone: on some hosts, alarms that were
   * set meanwhile are undone with it.
   */
  beginTransaction(): () => Promise<void> {
    const before = this.#appTime;
    return async () => {
      const changes = this.#changes;
      const time = (await this.#ports.alarms?.get()) ?? null;
      // The app has set another one since the transaction.
      if (changes !== this.#changes) return;
      this.#hostTime = time;
      if (this.#appTime !== before && this.#appTime !== time) await this.#putBack(before);
      this.#arm();
    };
  }

  /** Gives the app the alarm that it had before a change that failed, or was undone. */
  async #putBack(before: number | undefined): Promise<void> {
    this.#changes += 1;
    this.#appTime = before;
    if (before === undefined) await this.forgetApp();
    else await this.#ports.room.storage.put(this.key, before);
  }

  async forgetApp(): Promise<void> {
    this.#appTime = undefined;
    this.#isAppKnown = true;
    await this.#ports.room.storage.delete([this.key]);
  }

  /**
   * Call this when the app empties the storage, or when it has done so in a transaction. On some hosts its alarm survives that; and it may
   * have set another one since, or the host may have failed: then the row of the app is there.
   */
  async emptied(emptied: Promise<unknown>): Promise<void> {
    const { room, alarms } = this.#ports;
    const before = this.#appTime;
    const changes = (this.#changes += 1);
    // The room wants another one when it has content again.
    this.#appTime = this.#roomTime = undefined;
    await emptied.catch(() => undefined);
    const row = (await room.storage.get([this.key])).get(this.key);
    this.#hostTime = (await alarms?.get()) ?? null;
    if (changes === this.#changes && typeof row === 'number') this.#appTime = row;
    else if (this.#hostTime !== null && this.#hostTime === before) {
      this.#appTime ??= before;
      await room.storage.put(this.key, before);
    }
    // The next process would take it for one of the app.
    if (this.#roomTime === undefined) await this.disarm();
    this.#arm();
  }

  /** Removes the room's alarm, because nothing of the room is left. */
  async disarm(): Promise<void> {
    this.#roomTime = undefined;
    if (this.#appTime !== undefined || this.#hostTime === null) return;
    this.#hostTime = null;
    await this.#ports.alarms?.delete();
  }

  #arm(): void {
    const { alarms } = this.#ports;
    const next = Math.min(this.#appTime ?? Infinity, this.#roomTime ?? Infinity);
    if (alarms === undefined || this.#hostTime === undefined || next === Infinity) return;
    if (this.#hostTime !== null && this.#hostTime <= next) return;
    this.#hostTime = next;
    void this.#set(next);
  }

  /** Sets an alarm of the room's own. In one turn with what it needs, so that a host makes them durable together. */
  async #setForRoom(time: number): Promise<void> {
    const { alarms, beforeFirst } = this.#ports;
    await Promise.all([beforeFirst(), alarms?.set(time)]);
  }

  async #set(time: number): Promise<void> {
    try {
      await this.#setForRoom(time);
    } catch (error) {
      if (this.#hostTime === time) this.#hostTime = null;
      this.#ports.report(error);
    }
  }
}
