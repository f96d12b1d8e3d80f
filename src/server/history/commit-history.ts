import { composeChanges, type Changes } from '../../protocol/changes.ts';
import { decodeChanges, encodeChanges } from '../../protocol/codec.ts';

import { changesSize } from '../writes/content-size.ts';
import { withoutBornRows, type Births, type KnownCommit } from './births.ts';

interface KeptCommit {
  readonly version: number;
  /** Encoded: that takes a fourth of the memory. They are decoded only when a client comes back. */
  readonly changes: string;
  readonly tag: string | undefined;
  /** Undefined if the commit made no row, and for a commit that was loaded: storage does not keep them. */
  readonly births: Births | undefined;
  /** The length of all commits that were added, up to this one. */
  readonly end: number;
}

/** The changes that a client has missed. */
export interface CatchUp {
  readonly encoded: string;
  /** In the units of {@link changesSize}. */
  readonly size: number;
}

/** Makes a catch-up of changes. */
export function makeCatchUp(changes: Changes): CatchUp {
  return { encoded: encodeChanges(changes), size: changesSize(changes) };
}

const NO_CHANGES = makeCatchUp(composeChanges([]));

/** The tag of a version. */
export type KnownTag =
  | { readonly type: 'known'; readonly tag: string | undefined }
  | { readonly type: 'unknown' };

/** The history may have this size, however small the content is. In characters. */
const SMALLEST_LIMIT = 1_048_576;

/** The latest commits, in memory: a client that comes back gets those that it has missed. */
export class CommitHistory {
  readonly #commits: KeptCommit[] = [];
  #first = 0;
  #size = 0;
  #end = 0;
  /** The catch-ups to the latest version, encoded, by the version from which they start. */
  readonly #catchUps = new Map<number, CatchUp>();
  #catchUpLength = 0;

  #tagBefore: KnownTag;

  /** @param tagBefore That of the version before the first commit. */
  constructor(tagBefore: KnownTag = { type: 'known', tag: undefined }) {
    this.#tagBefore = tagBefore;
  }

  /** Adds a commit. Its changes are encoded. Versions rise by one. */
  add(version: number, changes: string, tag?: string, births?: Births): void {
    this.#forgetCatchUps();
    this.#size += changes.length;
    this.#end += changes.length;
    this.#commits.push({ version, changes, end: this.#end, tag, births });
  }

  /**
   * Returns what happened after that version, up to `current`; undefined if the history does not reach back so far
   * (`JOIN-2`).
   */
  since(version: number, current: number): Changes | undefined {
    const missed = this.#decodedSince(version, current);
    return missed && composeChanges(missed.map(({ changes }) => changes));
  }

  #decodedSince(version: number, current: number): readonly KnownCommit[] | undefined {
    const missed = current - version;
    if (missed < 0 || missed > this.#commits.length - this.#first) return undefined;
    return this.#commits
      .slice(this.#commits.length - missed)
      .map(({ changes, births }) => ({ changes: decodeChanges(changes), births }));
  }

  /**
   * As {@link since}, encoded, and without the deletions of rows that were not there at that version. Many clients come back at
   * once with the same cursor, so the catch-up of each version is made once.
   */
  catchUpSince(version: number, current: number): CatchUp | undefined {
    // Not kept: initial content makes a new version without a call of `add`.
    if (version === current) return NO_CHANGES;
    const kept = this.#catchUps.get(version);
    if (kept !== undefined) return kept;
    const missed = this.#decodedSince(version, current);
    if (missed === undefined) return undefined;
    const composed = composeChanges(missed.map(({ changes }) => changes));
    const catchUp = makeCatchUp(withoutBornRows(composed, missed));
    const { length } = catchUp.encoded;
    if (this.#catchUpLength + length > SMALLEST_LIMIT) this.#forgetCatchUps();
    this.#catchUps.set(version, catchUp);
    this.#catchUpLength += length;
    return catchUp;
  }

  /** Returns the approximate cost of {@link catchUpSince}: the length of what it reads, or of the catch-up if that is made already. */
  costSince(version: number, current: number): number {
    return this.#catchUps.get(version)?.encoded.length ?? this.#lengthSince(version, current);
  }

  /** Returns the length of the commits after that version, up to `current`. */
  #lengthSince(version: number, current: number): number {
    const missed = current - version;
    if (missed <= 0 || missed > this.#commits.length - this.#first) return 0;
    const first = this.#commits[this.#commits.length - missed];
    return first === undefined ? 0 : this.#end - first.end + first.changes.length;
  }

  /** Returns the tag of a version in the history, or of the one right before it (`JOIN-9`). */
  tagOf(version: number): KnownTag {
    const oldest = this.#oldest();
    if (oldest === undefined || version === oldest.version - 1) return this.#tagBefore;
    const commit = this.#commits[this.#first + version - oldest.version];
    return commit === undefined ? { type: 'unknown' } : { type: 'known', tag: commit.tag };
  }

  /** Forgets the commits before that version. */
  trimBefore(version: number): void {
    for (
      let oldest = this.#oldest();
      oldest !== undefined && oldest.version < version;
      oldest = this.#oldest()
    ) {
      this.#drop(oldest);
    }
  }

  /** Forgets the oldest commits, so that the history stays not much larger than the content. */
  trimToSize(contentSize: number): void {
    const limit = Math.max(2 * contentSize, SMALLEST_LIMIT);
    for (
      let oldest = this.#oldest();
      oldest !== undefined && this.#size > limit;
      oldest = this.#oldest()
    ) {
      this.#drop(oldest);
    }
  }

  #forgetCatchUps(): void {
    this.#catchUps.clear();
    this.#catchUpLength = 0;
  }

  #oldest(): KeptCommit | undefined {
    return this.#commits[this.#first];
  }

  #drop(commit: KeptCommit): void {
    this.#size -= commit.changes.length;
    this.#tagBefore = { type: 'known', tag: commit.tag };
    this.#first += 1;
    // Only now and then, because removing the first of many moves all others.
    if (this.#first * 2 > this.#commits.length) {
      this.#commits.splice(0, this.#first);
      this.#first = 0;
    }
  }
}
