import type { OfflineLocks, OfflineStorage } from './offline-storage.ts';

/**
 * Returns a storage that keeps to its types if that of an app does not: what this one throws, or returns at once, comes as a
 * promise. A value that is no text is an empty one, and so a damaged entry.
 */
export function guardStorage(storage: OfflineStorage): OfflineStorage {
  return {
    read: async (prefix) => {
      const entries: ReadonlyMap<string, unknown> = await storage.read(prefix);
      if (!(entries instanceof Map)) throw new TypeError('read of the storage gave no Map.');
      return new Map([...entries].map(([key, value]) => [key, textOf(value)]));
    },
    write: async (write) => {
      const isWritten: unknown = await storage.write(write);
      if (typeof isWritten !== 'boolean')
        throw new TypeError('write of the storage gave no boolean.');
      return isWritten;
    },
    ...(storage.writeLast && { writeLast: (write) => storage.writeLast?.(write) }),
  };
}

/** Does the same for locks. A lock that cannot be freed is free when the page ends. */
export function guardLocks(locks: OfflineLocks): OfflineLocks {
  return {
    take: async (name, milliseconds, onLost) => {
      const release: unknown = await locks.take(name, milliseconds, onLost);
      if (typeof release !== 'function') return undefined;
      return () => {
        try {
          Reflect.apply(release, undefined, []);
        } catch {
          // Nothing more can be done about it.
        }
      };
    },
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
