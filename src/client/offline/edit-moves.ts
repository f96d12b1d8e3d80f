import { ChangesBuilder } from '../../protocol/changes.ts';
import { encodeChanges } from '../../protocol/codec.ts';
import type { FormerClient } from '../replica/former-client.ts';

/** Edits that were another client's, and whose entries go when they are written as this client's (OFFLINE-5). */
export interface MovedEdits {
  readonly remove: readonly string[];
  /** The numbers that they have here. */
  readonly first: number;
  readonly last: number;
  /** Frees the lock of that client. */
  readonly release: () => void;
}

/** The edits of other clients that are on their way into a record. */
export class EditMoves {
  /** Those that wait for a write. */
  #waiting: MovedEdits[] = [];
  /** Those that are being written. */
  #writing: readonly MovedEdits[] = [];

  /** True if all are durable. */
  get areDone(): boolean {
    return this.#writing.length + this.#waiting.length === 0;
  }

  /** The numbers of the pushes that are not durable here. */
  get numbers(): readonly number[] {
    const numbers: number[] = [];
    for (const { first, last } of [...this.#writing, ...this.#waiting])
      for (let number = first; number <= last; number += 1) numbers.push(number);
    return numbers;
  }

  /** Returns a client without edits that are still in the records which they were to be moved from. Nothing of them was sent. */
  without(client: FormerClient): FormerClient {
    const { numbers } = this;
    const changes = new ChangesBuilder();
    const encoded = encodeChanges(changes);
    const pushes = client.pushes.map((push) => {
      const { number } = push;
      return numbers.includes(number) ? { number, changes, encoded } : push;
    });
    return { ...client, pushes };
  }

  add(moved: MovedEdits): void {
    this.#waiting.push(moved);
  }

  /** Drops the last one that was added. */
  drop(): void {
    this.#waiting.pop();
  }

  /** Adds to a write the removal of their entries. It has the edits themselves, as pushes of this client. */
  write(remove: string[]): void {
    this.#writing = this.#waiting;
    this.#waiting = [];
    for (const moved of this.#writing) remove.push(...moved.remove);
  }

  /** Frees the clients whose edits that write moves, when it is durable or will never be. */
  freeAfter(written: Promise<unknown>): void {
    const moving = this.#writing;
    const free = (): void => releaseAll(moving);
    written.then(free, free);
  }

  /** Call this when the write is durable. */
  written(): void {
    this.#writing = [];
  }

  /** Frees the clients whose edits wait: nothing is written any more. */
  freeWaiting(): void {
    releaseAll(this.#waiting);
  }
}

function releaseAll(moves: readonly MovedEdits[]): void {
  for (const { release } of moves) release();
}
