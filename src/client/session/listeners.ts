import type { Id } from 'tinybase';

import { notGot } from '../../protocol/option-kinds.ts';

/** Listeners of several kinds under one set of ids. `Kinds` maps each kind to the parameters of its listeners. */
export interface Listeners<Kinds extends Record<string, readonly unknown[]>> {
  /** Adds a listener, and returns the id that removes it. Throws `misuse` if it is no function. */
  add<Kind extends keyof Kinds>(kind: Kind, listener: (...details: Kinds[Kind]) => void): Id;
  remove(id: Id): void;
  /** Calls all of a kind. A listener that throws, or whose promise rejects, is reported, and the others are called. */
  call<Kind extends keyof Kinds>(kind: Kind, ...details: Kinds[Kind]): void;
}

/** Creates listeners. `listeners` has an empty map for each kind. */
export function createListeners<Kinds extends Record<string, readonly unknown[]>>(
  listeners: { readonly [Kind in keyof Kinds]: Map<Id, (...details: Kinds[Kind]) => void> },
  onError: (error: unknown) => void,
): Listeners<Kinds> {
  let nextId = 0;
  return {
    add: (kind, listener) => {
      assertListener(listener);
      const id = String(nextId++);
      listeners[kind].set(id, listener);
      return id;
    },
    remove: (id) => {
      for (const kind in listeners) listeners[kind].delete(id);
    },
    call: (kind, ...details) => {
      for (const listener of [...listeners[kind].values()]) {
        try {
          Promise.resolve(listener(...details)).catch(onError);
        } catch (error) {
          onError(error);
        }
      }
    },
  };
}

/** Throws `misuse` for a listener that is no function, as in code without types: when it is called, that is far from the mistake. */
export function assertListener(listener: unknown): void {
  if (typeof listener !== 'function') throw notGot('addListener', 'function');
}
