import { composeChanges, type Changes } from '../../protocol/changes.ts';
import { decodeChanges, encodeChanges } from '../../protocol/codec.ts';
import type { Cursor } from '../../protocol/messages.ts';

import type { LoadedRoom } from '../storage/stored-room.ts';
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
function makeCatchUp(changes: Changes): CatchUp {
  return { encoded: encodeChanges(changes), size: changesSize(changes) };
}

const NO_CHANGES = makeCatchUp(composeChanges([]));

/** The tag of a version. */
type KnownTag =
  | { readonly type: 'known'; readonly tag: string | undefined }
  | { readonly type: 'unknown' };

/** The history may have this size, however small the content is. In characters. */
const SMALLEST_LIMIT = 1_048_576;

/** The version of the Store, and the latest commits, in memory: a client that comes back gets those that it has missed. */
export class CommitHistory {
  readonly epoch: string;
  /** The tag of the versions that are added; undefined if the epoch began with this object. */
  readonly #life: string | undefined;
  #version: number;
  /** The tag of the current version (`JOIN-9`). */
  #tag: string | undefined;
  #tagBefore: KnownTag;
  /** The first version that was added, and its tag with it. */
  #firstOfLife: number | undefined;
  readonly #commits: KeptCommit[] = [];
  #first = 0;
  #size = 0;
  #end = 0;
  /** The catch-ups to the latest version, encoded, by the version from which they start. */
  readonly #catchUps = new Map<number, CatchUp>();
  #catchUpLength = 0;

  constructor(
    { cursor, log, before }: Pick<LoadedRoom, 'cursor' | 'log' | 'before'>,
    life: string | undefined,
  ) {
    this.epoch = cursor.epoch;
    this.#version = cursor.version;
    this.#tag = cursor.tag;
    this.#life = life;
    const known = log.length === 0 ? cursor : before;
    this.#tagBefore = known === undefined ? { type: 'unknown' } : { type: 'known', tag: known.tag };
    for (const { version, changes, encoded, tag } of log)
      if (changes !== undefined) this.#keep(version, encoded ?? encodeChanges(changes), tag);
  }

  /** The version of the Store, and its history. It may not be durable yet. */
  get cursor(): Cursor {
    return { epoch: this.epoch, version: this.#version, tag: this.#tag };
  }

  get version(): number {
    return this.#version;
  }

  /** The tag of the version, if it is the first with this tag: clients have to be told. */
  get newTag(): string | undefined {
    return this.#version === this.#firstOfLife ? this.#tag : undefined;
  }

  /** Begins with the initial content. */
  begin(): void {
    this.#version = 1;
  }

  /** Adds a commit, which gets the next version. Its changes are encoded. */
  add(changes: string, births?: Births): void {
    this.#forgetCatchUps();
    this.#version += 1;
    if (this.#tag !== this.#life) {
      this.#tag = this.#life;
      this.#firstOfLife = this.#version;
    }
    this.#keep(this.#version, changes, this.#tag, births);
  }

  #keep(version: number, changes: string, tag: string | undefined, births?: Births): void {
    this.#size += changes.length;
    this.#end += changes.length;
    this.#commits.push({ version, changes, end: this.#end, tag, births });
  }

  /** Returns the changes since that cursor; undefined if the history does not have the cursor (`JOIN-2`, `JOIN-3`, `JOIN-9`). */
  since(cursor: Cursor): Changes | undefined {
    const missed = this.#missedSince(cursor);
    return missed && composeChanges(missed.map(({ changes }) => changes));
  }

  /**
   * As {@link since}, encoded. Only with `isWhole` does it have the deletions of rows that were not there at the cursor. Many clients
   * come back at once with the same cursor, so the catch-up of each version is made once.
   */
  catchUpSince(cursor: Cursor, isWhole: boolean): CatchUp | undefined {
    const { version } = cursor;
    if (!isWhole && this.#has(cursor)) {
      // Not kept: initial content makes a new version without a call of `add`.
      if (version === this.#version) return NO_CHANGES;
      const kept = this.#catchUps.get(version);
      if (kept !== undefined) return kept;
    }
    const missed = this.#missedSince(cursor);
    if (missed === undefined) return undefined;
    const composed = composeChanges(missed.map(({ changes }) => changes));
    if (isWhole) return makeCatchUp(composed);
    const catchUp = makeCatchUp(withoutBornRows(composed, missed));
    const { length } = catchUp.encoded;
    if (this.#catchUpLength + length > SMALLEST_LIMIT) this.#forgetCatchUps();
    this.#catchUps.set(version, catchUp);
    this.#catchUpLength += length;
    return catchUp;
  }

  /** Returns the approximate cost of {@link catchUpSince}: the length of what it reads, or of the catch-up if that is made already. */
  costSince({ epoch, version }: Cursor): number {
    if (epoch !== this.epoch) return 0;
    const kept = this.#catchUps.get(version);
    if (kept !== undefined) return kept.encoded.length;
    const missed = this.#version - version;
    if (missed <= 0 || missed > this.#commits.length - this.#first) return 0;
    const first = this.#commits[this.#commits.length - missed];
    return first === undefined ? 0 : this.#end - first.end + first.changes.length;
  }

  /** Returns true if the cursor is of this epoch, and certainly of no version that the room had: the storage was set back (`JOIN-9`). */
  isSetBackFrom({ epoch, version, tag }: Cursor): boolean {
    if (epoch !== this.epoch) return false;
    const known = this.tagOf(version);
    return version > this.#version || (known.type === 'known' && known.tag !== tag);
  }

  #missedSince(cursor: Cursor): readonly KnownCommit[] | undefined {
    const missed = this.#version - cursor.version;
    if (!this.#has(cursor) || missed < 0 || missed > this.#commits.length - this.#first)
      return undefined;
    return this.#commits
      .slice(this.#commits.length - missed)
      .map(({ changes, births }) => ({ changes: decodeChanges(changes), births }));
  }

  /** Returns true if the history has that cursor, as far as it reaches back. */
  #has({ epoch, version, tag }: Cursor): boolean {
    const known = this.tagOf(version);
    return epoch === this.epoch && known.type === 'known' && known.tag === tag;
  }

  /** Returns the tag of a version in the history, or of the one right before it (`JOIN-9`). */
  tagOf(version: number): KnownTag {
    if (version === this.#version) return { type: 'known', tag: this.#tag };
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
