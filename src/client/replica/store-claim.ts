import type { Store } from 'tinybase';

import type { LeftSession } from './former-client.ts';

/** The edits of a persister that has ended. */
interface LeftEdits {
  /** The room and the user that they belong to. */
  readonly key: string;
  session: LeftSession;
  /** Called when another persister takes them. */
  readonly onTaken: () => void;
}

/** The use of one Store. All its persisters share it, also those of another copy of this package on the page. */
interface StoreUse {
  /** The claim that holds the Store; undefined if it is free, and the global object if it is a presence Store. */
  holder: object | undefined;
  /** Called in turn when the Store becomes free. */
  readonly waiting: (() => void)[];
  /** True once the Store has shown the content of a room, or was used for two rooms. */
  hasShownRoom: boolean;
  /** The room and the user that it was used for last; undefined before the first. */
  key: string | undefined;
  /** The highest generation of a persister that has ended. */
  generation: number;
  /** The unconfirmed edits of the last persister, for the next one of the same room (OFFLINE-1). */
  left: LeftEdits | undefined;
}

/** The key of the registry that all copies of this package share. Change it whenever {@link StoreUse} changes its shape. */
const REGISTRY = Symbol.for('tinybase-partykit:stores:5');

/**
 * One persister's claim to its Store. A Store has one persister at a time (STORE-1): a second one would send what the first one
 * shows.
 */
export class StoreClaim {
  readonly #use: StoreUse;

  constructor(store: Store) {
    this.#use = useOf(store);
  }

  /** True if another persister holds the Store. Its changes are then for that persister. */
  get isElsewhere(): boolean {
    return this.#use.holder !== undefined && this.#use.holder !== this;
  }

  /** True if the Store has shown a room, or was used for another one. Its content cannot be a seed any more (SEED-2). */
  get hasShownRoom(): boolean {
    return this.#use.hasShownRoom;
  }

  /** Records that the Store has shown the content of a room. */
  noteRoomShown(): void {
    this.#use.hasShownRoom = true;
  }

  /** Records the room and the user that the Store is used for. If they are others than before, its content cannot be a seed there. */
  begin(key: string): void {
    const use = this.#use;
    use.hasShownRoom ||= use.key !== undefined && use.key !== key;
    use.key = key;
  }

  /** The highest generation of a persister that has ended. */
  get generation(): number {
    return this.#use.generation;
  }

  /** Records the generation of a persister that ends. */
  raise(generation: number): void {
    this.#use.generation = Math.max(generation, this.#use.generation);
  }

  /** Leaves edits to the next persister. */
  leave(left: LeftEdits): void {
    this.#use.left = left;
  }

  /** Returns the edits that were left under this key, to the first that asks. */
  takeLeft(key: string): LeftSession | undefined {
    const { left } = this.#use;
    if (left?.key !== key) return undefined;
    this.#use.left = undefined;
    left.onTaken();
    return left.session;
  }

  /** Takes the Store. Returns false if another persister holds it. */
  take(): boolean {
    if (this.isElsewhere) return false;
    this.#use.holder = this;
    return true;
  }

  /** Waits for the Store to be free; returns a function that ends the wait. Every waiter is called, one after the other. */
  whenFree(callback: () => void): () => void {
    const { waiting } = this.#use;
    waiting.push(callback);
    return () => {
      const index = waiting.indexOf(callback);
      if (index >= 0) waiting.splice(index, 1);
    };
  }

  /** Releases the Store. */
  release(): void {
    if (this.#use.holder !== this) return;
    this.#use.holder = undefined;
    // Later, not within this call: a waiter begins at once.
    for (const callback of this.#use.waiting.splice(0)) queueMicrotask(callback);
  }
}

/**
 * Takes a Store for presence: no persister takes it from then on. Returns false if a persister was made for it. Presence deletes
 * its tables, and a persister would do that for everybody.
 */
export function takeForPresence(store: Store): boolean {
  return useOf(store, globalThis).holder === globalThis;
}

/** Returns the use of a Store. If there is none, it is made with that holder. */
function useOf(store: Store, holder?: object): StoreUse {
  const found: unknown = Reflect.get(globalThis, REGISTRY);
  let registry: WeakMap<Store, StoreUse>;
  if (isRegistry(found)) registry = found;
  else Reflect.set(globalThis, REGISTRY, (registry = new WeakMap()));
  let use = registry.get(store);
  if (use === undefined) {
    use = {
      holder,
      waiting: [],
      hasShownRoom: false,
      key: undefined,
      generation: 0,
      left: undefined,
    };
    registry.set(store, use);
  }
  return use;
}

/** Only this package knows the symbol. */
function isRegistry(found: unknown): found is WeakMap<Store, StoreUse> {
  return found instanceof WeakMap;
}
