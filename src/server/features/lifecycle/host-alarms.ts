/** The alarm of a host: one time, or none. It wakes the room then, also after a restart on most hosts. */
export interface HostAlarms {
  get(): Promise<number | null>;
  set(time: number): Promise<void>;
  delete(): Promise<void>;
}

/**
 * Returns the alarm of a storage object with its methods as they are now: what is set on the object later is not called.
 * Returns undefined for a storage without alarms.
 */
export function alarmsOf(storage: object): HostAlarms | undefined {
  const methods = ['getAlarm', 'setAlarm', 'deleteAlarm'].map((name): unknown =>
    Reflect.get(storage, name),
  );
  const [get, set, remove] = methods;
  if (typeof get !== 'function' || typeof set !== 'function' || typeof remove !== 'function')
    return undefined;
  return {
    get: async () => {
      const time: unknown = await Reflect.apply(get, storage, []);
      return typeof time === 'number' ? time : null;
    },
    set: async (time) => void (await Reflect.apply(set, storage, [time])),
    delete: async () => void (await Reflect.apply(remove, storage, [])),
  };
}
