import type { Changes } from '../../protocol/changes.ts';
import { encodeChanges } from '../../protocol/codec.ts';
import { encodeHeld } from './client-record.ts';

/** The entry of the held edits in a record (VIEW-8). They have no number, so a page that finds them sends them once more. */
export class HeldEntry {
  readonly #key: string;
  /** The held edits as they were written last; undefined if there were none. */
  #text: string | undefined;
  #isDirty = true;
  #mayBeStored: boolean;

  /** @param held what the record has. */
  constructor(key: string, held: Changes | undefined) {
    this.#key = key;
    this.#text = held && encodeChanges(held);
    this.#mayBeStored = held !== undefined;
  }

  get key(): string {
    return this.#key;
  }

  /** True if the storage may have the entry. */
  get mayBeStored(): boolean {
    return this.#mayBeStored;
  }

  /** Call this when the held edits may have changed. */
  changed(): void {
    this.#isDirty = true;
  }

  /** Adds to a write what has changed. Returns true if the write removes the entry. */
  write(
    held: Changes | undefined,
    { set, remove }: { readonly set: Map<string, string>; readonly remove: string[] },
  ): boolean {
    if (!this.#isDirty) return false;
    this.#isDirty = false;
    const text = held && encodeChanges(held);
    if (text === this.#text) return false;
    this.#text = text;
    if (text === undefined) {
      remove.push(this.#key);
      return true;
    }
    set.set(this.#key, encodeHeld(text));
    this.#mayBeStored = true;
    return false;
  }

  /** Call this when the entry is removed for good. */
  removed(): void {
    this.#mayBeStored = false;
  }
}
