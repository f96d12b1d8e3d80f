import type { Id } from 'tinybase';

/** Listeners of several kinds under one set of ids. `Kinds` maps each kind to what its listeners are called with. */
export class Listeners<Kinds extends Record<string, readonly unknown[]>> {
  readonly #onError: (error: unknown) => void;
  readonly #listeners: { [Kind in keyof Kinds]: Map<Id, (...details: Kinds[Kind]) => void> };
  #nextId = 0;

  constructor(
    listeners: { [Kind in keyof Kinds]: Map<Id, (...details: Kinds[Kind]) => void> },
    onError: (error: unknown) => void,
  ) {
    this.#listeners = listeners;
    this.#onError = onError;
  }

  /** Returns the id to remove it with. */
  add<Kind extends keyof Kinds>(kind: Kind, listener: (...details: Kinds[Kind]) => void): Id {
    const id = String(this.#nextId++);
    this.#listeners[kind].set(id, listener);
    return id;
  }

  remove(id: Id): void {
    for (const kind in this.#listeners) this.#listeners[kind].delete(id);
  }

  /** Calls all of a kind. One that throws is reported and keeps no other from being called. */
  call<Kind extends keyof Kinds>(kind: Kind, ...details: Kinds[Kind]): void {
    for (const listener of [...this.#listeners[kind].values()]) {
      try {
        listener(...details);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
