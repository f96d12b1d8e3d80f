import {
  addChanges,
  ChangesBuilder,
  isEmptyChanges,
  type Changes,
} from '../../protocol/changes.ts';
import { encodeHeld, heldSince, PAGE_LENGTH } from './client-record.ts';

/**
 * The held edits in a record (VIEW-8): one entry, and one for what each later write adds. So a write is as long as what is new. They
 * have no number, so a page that finds them sends them once more.
 */
export class HeldEntry {
  readonly #key: string;
  /** The held edits that are written, as far as they went then; undefined if there were none. */
  #written: Changes | undefined;
  /** The edits that were added to these since. */
  #since = new ChangesBuilder();
  #mayBeStored: boolean;
  /** The held edits that are stored, as far as they went then. */
  #stored: Changes | undefined;
  /** The edits of the write under way that were added to these. */
  #writing = new ChangesBuilder();
  /** True from when the page has said held edits as it went until the next write: they may be stored once more (OFFLINE-13). */
  #isSaid = false;
  /** The held edits that it said last, until a later write is durable: another page may have taken these before that. */
  #said: Changes | undefined;
  /** The edits that were added to these since. */
  #sinceSaid = new ChangesBuilder();
  /** The length of the first entry. */
  #firstLength = 0;
  /** The number and length of the later ones. */
  #laterCount = 0;
  #laterLength = 0;

  /** @param held what the record has. */
  constructor(key: string, held: Changes | undefined) {
    this.#key = key;
    this.#written = held;
    this.#mayBeStored = held !== undefined;
  }

  /** The beginning of the keys of all its entries. */
  get key(): string {
    return this.#key;
  }

  /** True if the storage may have an entry. */
  get mayBeStored(): boolean {
    return this.#mayBeStored || this.#isSaid;
  }

  /** Call this for each change of the held edits that leaves them the same object. */
  add(changes: Changes): void {
    addChanges(this.#since, changes);
    if (this.#said !== undefined) addChanges(this.#sinceSaid, changes);
  }

  /** Adds to a write what has changed. */
  write(
    held: Changes | undefined,
    { set, remove }: { readonly set: Map<string, string>; readonly remove: string[] },
  ): void {
    const since = this.#since;
    const isSame = held === this.#written && !this.#isSaid;
    if (isSame && (held === undefined || since.isEmpty)) return;
    this.#writing = since;
    this.#since = new ChangesBuilder();
    this.#written = held;
    if (isSame && this.#laterLength < Math.max(PAGE_LENGTH, this.#firstLength)) {
      const text = encodeHeld(since);
      set.set(heldSince(this.#key, this.#laterCount), text);
      this.#laterCount += 1;
      this.#laterLength += text.length;
      return;
    }
    this.#mayBeStored = this.mayBeStored;
    this.#isSaid = false;
    if (this.#mayBeStored) remove.push(this.#key);
    if (held === undefined) return;
    const text = encodeHeld(held);
    set.set(this.#key, text);
    this.#mayBeStored = true;
    this.#firstLength = text.length;
    this.#laterCount = this.#laterLength = 0;
  }

  /** Call this when the page says these as it goes. */
  said(held: Changes | undefined): void {
    this.#isSaid ||= held !== undefined;
    this.#said = held;
    this.#sinceSaid = new ChangesBuilder();
  }

  /** Call this when a write of these is durable. */
  stored(held: Changes | undefined): void {
    this.#stored = held;
    this.#writing = new ChangesBuilder();
    if (held === undefined) this.#mayBeStored = false;
    if (!this.#isSaid) this.#said = undefined;
  }

  /** True if the storage has all of these. */
  has(held: Changes): boolean {
    return isEmptyChanges(this.lackOf(held, false));
  }

  /** Returns the part of these that the storage lacks. With `isSaid`, it has what the page has said as it went. */
  lackOf(held: Changes, isSaid: boolean): Changes {
    if (isSaid && held === this.#said) return this.#sinceSaid;
    if (held !== this.#stored) return held;
    const lack = new ChangesBuilder();
    addChanges(lack, this.#writing);
    addChanges(lack, this.#since);
    return lack;
  }

  /** Call this when all entries are removed for good, and what the page has said. */
  removed(): void {
    this.#mayBeStored = this.#isSaid = false;
    this.#stored = this.#said = undefined;
  }
}
