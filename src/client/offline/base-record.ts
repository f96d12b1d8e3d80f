import { addChanges, ChangesBuilder, isEmptyChanges } from '../../protocol/changes.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import type { Cursor } from '../../protocol/messages.ts';
import type { PendingPush } from '../replica/pending-push.ts';
import type { Fold } from '../session/session-types.ts';
import type { ClaimedRecord } from './claim-record.ts';
import {
  decodeBase,
  encodePages,
  encodeSince,
  PAGE_LENGTH,
  type RecordKeys,
  type StoredBase,
} from './client-record.ts';

/** The base in the record of a client: content as pages, and the changes since. Knows what of it is not on disk yet. */
export class BaseRecord {
  readonly #keys: RecordKeys;
  readonly #id: string;
  /** Content that has to take the place of all pages. */
  #snapshot: StoredBase | undefined;
  /** The changes since the last write, and their cursor. */
  #since = new ChangesBuilder();
  #cursor: Cursor | undefined;
  #savedAt: number;
  /** The pushes whose result the next fold includes. */
  #answered: readonly PendingPush[] = [];
  /** The size of the base on disk; undefined if it is not the one that the client goes on from. */
  #size: ClaimedRecord['since'];

  constructor(keys: RecordKeys, { recordId, head, base, since }: ClaimedRecord) {
    this.#keys = keys;
    this.#id = recordId;
    this.#savedAt = since === undefined ? 0 : (head?.savedAt ?? 0);
    this.#size = since;
    if (base === undefined || since !== undefined) return;
    // The replica goes on with the content itself, and sets edits in it.
    const content = new LeafMap<Leaf>();
    base.content.forEach((leaf, ...address) => content.set(...address, leaf));
    this.#snapshot = { cursor: base.cursor, content };
  }

  /** True if the content of the room is on disk. */
  get isStored(): boolean {
    return this.#size !== undefined;
  }

  /** The time of the last write, in milliseconds since 1970; 0 if there was none. */
  get savedAt(): number {
    return this.#savedAt;
  }

  /** True if there are so many changes that pages and changes should be read as one, for {@link compact}. */
  get hasManyChanges(): boolean {
    if (this.#size === undefined || this.#snapshot !== undefined) return false;
    return this.#size.length >= Math.max(PAGE_LENGTH, this.#size.pages);
  }

  /** The room has processed these pushes: the next fold includes the result. */
  answered(pushes: readonly PendingPush[]): void {
    this.#answered = pushes;
  }

  /** The room's content has changed, and has this cursor now; undefined in a stock room. Returns false if the base stays as it is. */
  folded(fold: Fold, cursor: Cursor | undefined): boolean {
    const answered = this.#answered;
    this.#answered = [];
    switch (fold.type) {
      case 'content':
      case 'catch-up': {
        const { content, isShown } = fold;
        if (content !== undefined) {
          this.#since = new ChangesBuilder();
          this.#size = undefined;
          // Content that is not shown is not known.
          this.#snapshot = isShown && cursor !== undefined ? { content, cursor } : undefined;
        }
        if (fold.type === 'catch-up') addChanges(this.#since, fold.changes);
        break;
      }
      case 'commit':
        addChanges(this.#since, fold.changes);
        break;
      case 'ack': {
        const { correction, reason } = fold.ack;
        // Nothing of it was applied (LIMIT-3).
        if (reason === 'too-large') break;
        for (const { changes } of answered) addChanges(this.#since, changes);
        if (correction !== undefined) addChanges(this.#since, correction);
        break;
      }
      case 'replace-held':
      case 'seed':
      case 'leave':
        return false;
    }
    this.#cursor = cursor;
    // Without content, changes are worth nothing.
    if (this.#size === undefined && this.#snapshot === undefined)
      this.#since = new ChangesBuilder();
    return true;
  }

  /** Makes one snapshot of what was read: all pages and changes on disk. */
  compact(entries: ReadonlyMap<string, string>): void {
    // Loaded content may have taken its place meanwhile.
    if (this.#size !== undefined) this.#snapshot = decodeBase(entries);
  }

  /** Adds all that is not on disk to a write. Returns true if there was anything. */
  write(set: Map<string, string>, remove: string[], now: number): boolean {
    // A room without a Store: after a restart, the seed is given again.
    if (this.#cursor?.version === 0) return false;
    const since = this.#since;
    this.#since = new ChangesBuilder();
    const snapshot = this.#snapshot;
    const cursor = this.#cursor;
    this.#snapshot = this.#cursor = undefined;
    if (snapshot !== undefined) {
      remove.push(this.#keys.baseOf(this.#id));
      const pages = encodePages(snapshot);
      for (const [index, page] of pages.entries()) set.set(this.#keys.page(this.#id, index), page);
      const length = pages.reduce((total, page) => total + page.length, 0);
      this.#size = { count: 0, length: 0, pages: length };
    }
    if (this.#size === undefined || (snapshot === undefined && cursor === undefined)) return false;
    this.#savedAt = now;
    const isNews = !isEmptyChanges(since) || !isSameCursor(cursor, snapshot?.cursor);
    if (cursor !== undefined && isNews) {
      const text = encodeSince(cursor, since);
      const { count, length, pages } = this.#size;
      set.set(this.#keys.changes(this.#id, count), text);
      this.#size = { count: count + 1, length: length + text.length, pages };
    }
    return true;
  }
}

function isSameCursor(one: Cursor | undefined, other: Cursor | undefined): boolean {
  return one?.epoch === other?.epoch && one?.version === other?.version && one?.tag === other?.tag;
}
