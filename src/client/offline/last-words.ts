import { asArray, asString, decodeJson } from '../../protocol/json.ts';
import type { LastWrite } from './offline-storage.ts';

/** A last write of a page that has ended. */
export interface LeftWrite extends LastWrite {
  /** Returns false if it was removed meanwhile, or its page has said more. */
  readonly isLeft: () => boolean;
  /** Removes it. Call this when the write was done. */
  readonly forget: () => void;
}

/** The last writes of pages, in localStorage: unlike IndexedDB, it takes them before the page ends. */
export class LastWords {
  readonly #prefix: string;
  /** The keys of this page's own, each with the number of the write that it has. */
  readonly #said = new Map<string, number>();
  #count = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Keeps a write, in the place of an earlier one of that record. Throws an error where there is no place for it. */
  say({ guard, remove, set }: LastWrite): void {
    const key = this.#prefix + guard.key;
    this.#said.set(key, (this.#count += 1));
    // In JSON, undefined is null.
    localStorage.setItem(key, JSON.stringify([remove, [...set], guard.values]));
  }

  /** The number of writes so far. */
  get count(): number {
    return this.#count;
  }

  /** Removes the first `count` writes of this page: it has not ended, and its own storage has them by now. */
  takeBack(count: number): void {
    for (const [key, number] of this.#said) {
      if (number > count) continue;
      withStorage((storage) => storage.removeItem(key));
      this.#said.delete(key);
    }
  }

  left(): readonly LeftWrite[] {
    return withStorage((storage) => [...this.#read(storage)]) ?? [];
  }

  *#read(storage: Storage): Iterable<LeftWrite> {
    for (const key of Object.keys(storage)) {
      if (!key.startsWith(this.#prefix) || this.#said.has(key)) continue;
      const text = storage.getItem(key);
      const isLeft = (): boolean => withStorage(() => storage.getItem(key) === text) === true;
      const forget = (): void => {
        if (isLeft()) storage.removeItem(key);
      };
      try {
        const { values, ...write } = decode(text ?? '');
        yield { guard: { key: key.slice(this.#prefix.length), values }, isLeft, forget, ...write };
      } catch {
        // It is damaged.
        forget();
      }
    }
  }
}

function decode(text: string): Omit<LastWrite['guard'], 'key'> & Omit<LastWrite, 'guard'> {
  return decodeJson('last write', text, (json) => {
    const [remove, set, values] = asArray(json, 3, 3);
    return {
      values: asArray(values, 0, Infinity).map((value) =>
        value === null ? undefined : asString(value),
      ),
      remove: asArray(remove, 0, Infinity).map(asString),
      set: new Map(
        asArray(set, 0, Infinity).map((entry) => {
          const [key, value] = asArray(entry, 2, 2);
          return [asString(key), asString(value)];
        }),
      ),
    };
  });
}

/** A browser may refuse access to it, have no place in it, or not have it at all. Then there are no last words. */
function withStorage<T>(use: (storage: Storage) => T): T | undefined {
  try {
    return use(localStorage);
  } catch {
    return undefined;
  }
}
