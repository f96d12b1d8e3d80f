/** How long to wait before asking again whether the app's transaction is over. */
const BUSY_MILLISECONDS = 5;

/** What has arrived and waits its turn: in order, and only as far as the Store is free (VIEW-6). */
export class Inbox<Item> {
  readonly #after: (milliseconds: number, callback: () => void) => () => void;
  readonly #handle: (item: Item) => boolean;
  #items: Item[] = [];
  #isDraining = false;
  #cancel: (() => void) | undefined;

  /** `handle` returns false if the Store is busy and nothing was done: the item is handed to it again. */
  constructor(
    after: (milliseconds: number, callback: () => void) => () => void,
    handle: (item: Item) => boolean,
  ) {
    this.#after = after;
    this.#handle = handle;
  }

  /** Adds an item, and deals with all that can be dealt with. */
  add(item: Item): void {
    this.#items.push(item);
    this.#drain();
  }

  /** Forgets what waits, but for what is to be kept. */
  clear(isKept: (item: Item) => boolean = () => false): void {
    this.#items = this.#items.filter(isKept);
  }

  /** Deals with nothing any more. */
  stop(): void {
    this.clear();
    this.#cancel?.();
  }

  #drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#cancel?.();
    this.#cancel = undefined;
    for (let item = this.#items.shift(); item !== undefined; item = this.#items.shift()) {
      if (this.#handle(item)) continue;
      this.#items.unshift(item);
      this.#cancel = this.#after(BUSY_MILLISECONDS, () => this.#drain());
      break;
    }
    this.#isDraining = false;
  }
}
