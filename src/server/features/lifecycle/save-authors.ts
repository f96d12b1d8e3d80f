import type { Cursor } from '../../../protocol/messages.ts';

/** The most authors that are remembered for a save. */
const MOST_AUTHORS = 1_000;

/** The versions that an author has made since the last save. There may be others of it in between. */
interface Versions {
  readonly first: number;
  readonly last: number;
}

/** The authors of the changes since the last save, each once. */
export class SaveAuthors<Author> {
  #epoch: string | undefined;
  readonly #versions = new Map<Author, Versions>();

  /** Adds the authors of a commit. */
  add({ epoch, version }: Cursor, authors: readonly Author[]): void {
    if (epoch !== this.#epoch) this.clear();
    this.#epoch = epoch;
    for (const author of authors) {
      const known = this.#versions.get(author);
      if (known === undefined && this.#versions.size >= MOST_AUTHORS) return;
      this.#versions.set(author, { first: known?.first ?? version, last: version });
    }
  }

  /** Returns the authors of the changes up to there. */
  upTo({ epoch, version }: Cursor): readonly Author[] {
    if (epoch !== this.#epoch) return [];
    return [...this.#versions].flatMap(([author, { first }]) => (first <= version ? [author] : []));
  }

  /** Forgets what is saved. */
  saved({ epoch, version }: Cursor): void {
    if (epoch !== this.#epoch) return;
    for (const [author, { first, last }] of this.#versions) {
      if (last <= version) this.#versions.delete(author);
      else if (first <= version) this.#versions.set(author, { first: version + 1, last });
    }
  }

  /** Forgets what came after the version that was loaded: it was lost, and others get its versions. */
  loaded({ epoch, version }: Cursor): void {
    if (epoch !== this.#epoch) this.clear();
    for (const [author, { first, last }] of this.#versions) {
      if (first > version) this.#versions.delete(author);
      else if (last > version) this.#versions.set(author, { first, last: version });
    }
  }

  clear(): void {
    this.#versions.clear();
  }
}
