import { StrictStorage, type StrictStorageOptions } from './strict-storage.ts';

/** A {@link StrictStorage} with the one alarm of a Durable Object. */
export class AlarmStorage extends StrictStorage {
  /** The time that is set; null if none is. */
  alarm: number | null;
  /** The number of times that an alarm was set or deleted: each is a row. */
  alarmWrites = 0;

  constructor(
    options: StrictStorageOptions = {},
    values: ReadonlyMap<string, unknown> = new Map(),
    alarm: number | null = null,
  ) {
    super(options, values);
    this.alarm = alarm;
  }

  async getAlarm(): Promise<number | null> {
    return this.alarm;
  }

  async setAlarm(time: number | Date): Promise<void> {
    this.alarmWrites += 1;
    this.alarm = Number(time);
  }

  async deleteAlarm(): Promise<void> {
    this.alarmWrites += 1;
    this.alarm = null;
  }

  override async deleteAll(): Promise<void> {
    this.alarm = null;
    await super.deleteAll();
  }

  /** The state that a new process finds: `hasAlarm` is false for a host that loses alarms. */
  async reopen(hasAlarm = true): Promise<AlarmStorage> {
    const values = await this.copy().list();
    return new AlarmStorage({}, values, hasAlarm ? this.alarm : null);
  }
}
