import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { isClientId } from '../../protocol/messages/hello.ts';
import {
  decodeBase,
  decodeEdits,
  decodeHead,
  type RecordHead,
  type RecordKeys,
  type StoredBase,
  type StoredEdits,
} from './client-record.ts';
import type { OfflineLocks, OfflineStorage } from './offline-storage.ts';

/** The wait for the lock of a client that this page continues: the page before it may be about to end. */
const PATIENCE_MILLISECONDS = 500;
/** The same for that of an earlier session of this page, which may be about to see that it has ended. */
const OWN_PATIENCE_MILLISECONDS = 4000;

const NO_HEAD: RecordHead = {
  generation: 0,
  lastNumber: 0,
  savedAt: 0,
  clientId: undefined,
};

const NO_EDITS: StoredEdits = { pushes: [], held: undefined, damaged: [] };

/** The records of one user in one room. */
export interface RecordScope {
  readonly storage: OfflineStorage;
  /** Undefined where there are none. Then nobody can tell if a client has ended. */
  readonly locks: OfflineLocks | undefined;
  readonly keys: RecordKeys;
}

/** The record that a page wants. */
export interface WantedRecord {
  /** The id of a new record. */
  readonly fresh: string;
  /** The record to try first; undefined if there is none. If it is the new one, no other will do. */
  readonly preferred: string | undefined;
  /** Called if the lock of the claimed record is taken away. */
  readonly onLost?: () => void;
}

/** The record of a client that only this page uses from now on (OFFLINE-3). */
export interface ClaimedRecord {
  readonly recordId: string;
  readonly clientId: string;
  /** The text of its head; undefined if the record is new. */
  readonly headText: string | undefined;
  readonly head: RecordHead | undefined;
  readonly edits: StoredEdits;
  /** The latest content of the room that any record has. */
  readonly base: StoredBase | undefined;
  /** The number and length of the changes since the pages of the record's own base; undefined if it has none. */
  readonly since:
    | { readonly count: number; readonly length: number; readonly pages: number }
    | undefined;
  /** The error of anything that could not be read. */
  readonly problem: TinyBasePartyKitError | undefined;
  /** Frees the record for other pages. */
  readonly release: () => void;
}

/** The heads of all records of a scope, as far as they can be read. */
export interface KnownRecords {
  readonly heads: ReadonlyMap<string, RecordHead>;
  readonly problem: TinyBasePartyKitError | undefined;
}

export function lockOf(recordId: string): string {
  return `tinybase-partykit:${recordId}`;
}

/** Reads the heads of a scope: there are few. */
export async function readRecords({
  storage,
  keys,
}: Pick<RecordScope, 'storage' | 'keys'>): Promise<KnownRecords> {
  const heads = new Map<string, RecordHead>();
  let problem: TinyBasePartyKitError | undefined;
  for (const [key, text] of await storage.read(keys.heads)) {
    const recordId = keys.recordOf(key);
    const { head, error } = readHead(text);
    if (error !== undefined) problem = unreadable(error);
    if (isNewer(error)) continue;
    // No room would answer the hello of such a client.
    if (isClientId(head.clientId ?? recordId)) heads.set(recordId, head);
    else problem ??= unreadable(undefined);
  }
  return { heads, problem };
}

/**
 * Claims the record of a client that has ended, or else a new one. Without locks, the record is always a new one. Resolves to
 * undefined if another page holds the lock of the new one. With `taken`, the record is that one.
 */
export async function claimRecord(
  scope: RecordScope,
  wanted: WantedRecord,
  taken?: ClaimedLock,
): Promise<ClaimedRecord | undefined> {
  const { locks } = scope;
  const { fresh, onLost } = wanted;
  const known = await readRecords(scope);
  const claim = taken ?? (locks && (await claimEnded({ ...scope, locks }, known, wanted)));
  const release = claim?.release ?? (locks && (await locks.take(lockOf(fresh), 0, onLost)));
  if (locks !== undefined && release === undefined) return undefined;
  try {
    return await readClaimed(scope, known, {
      recordId: claim?.recordId ?? fresh,
      mayContinue: locks !== undefined,
      release: release ?? nothing,
    });
  } catch (error) {
    if (taken === undefined) release?.();
    throw error;
  }
}

/** A record whose lock this page holds, if there are locks. */
interface ClaimedLock {
  readonly recordId: string;
  readonly release: () => void;
}

interface HeldRecord extends ClaimedLock {
  /** True if it can be the record of a client that has ended. */
  readonly mayContinue: boolean;
}

async function readClaimed(
  { storage, keys }: RecordScope,
  known: KnownRecords,
  { recordId, mayContinue, release }: HeldRecord,
): Promise<ClaimedRecord> {
  const headText = (await storage.read(keys.head(recordId))).get(keys.head(recordId));
  // It may also be the record of an earlier session of this page, whose lock was free only now.
  const isContinued = mayContinue && headText !== undefined;
  const { head, error } = isContinued ? readHead(headText) : {};
  if (isNewer(error)) throw new Error('A newer version has written the record of this page.');
  let { problem } = known;
  const edits = isContinued ? decodeEdits(await storage.read(keys.editsOf(recordId))) : NO_EDITS;
  if (edits.damaged.length > 0) problem = unreadable(undefined);
  const newest = [...known.heads]
    .filter(([, { savedAt }]) => savedAt > 0)
    .sort(([, one], [, other]) => other.savedAt - one.savedAt)
    .map(([id]) => id);
  let base: StoredBase | undefined;
  let since: ClaimedRecord['since'];
  for (const id of newest) {
    const entries = await storage.read(keys.baseOf(id));
    try {
      base = decodeBase(entries);
    } catch (cause) {
      problem = unreadable(cause);
      continue;
    }
    if (id === recordId) since = measure(entries);
    break;
  }
  return {
    recordId,
    clientId: head?.clientId ?? recordId,
    headText,
    head,
    edits,
    base,
    since,
    problem,
    release,
  };
}

async function claimEnded(
  { storage, locks, keys }: RecordScope & { readonly locks: OfflineLocks },
  { heads }: KnownRecords,
  { fresh, preferred, onLost }: WantedRecord,
): Promise<ClaimedLock | undefined> {
  const isOwn = preferred === fresh;
  const claim = async (recordId: string, patience: number): Promise<(() => void) | undefined> => {
    const release = await locks.take(lockOf(recordId), patience, onLost);
    // A new record needs that lock, too: a session before, which is about to see that it has ended, could take it in between.
    if (release === undefined || recordId === fresh) return release;
    try {
      // Somebody may have moved its edits meanwhile: then the room knows numbers of it that nobody else does.
      const head = (await storage.read(keys.head(recordId))).get(keys.head(recordId));
      if (head !== undefined && !isNewer(readHead(head).error)) return release;
    } catch (error) {
      release();
      throw error;
    }
    release();
    return undefined;
  };
  if (preferred !== undefined) {
    const longest = isOwn ? OWN_PATIENCE_MILLISECONDS : PATIENCE_MILLISECONDS;
    const release = await claim(preferred, longest);
    if (release !== undefined) return { recordId: preferred, release };
  }
  const others = isOwn ? [] : [...heads.keys()].filter((id) => id !== preferred);
  if (others.length === 0) return undefined;
  // Those with edits first. To find them, all edits are read, and these may be many.
  const withEdits = new Set<string>();
  for (const key of (await storage.read(keys.edits)).keys()) withEdits.add(keys.recordOf(key));
  for (const hasEdits of [true, false]) {
    for (const recordId of others.filter((id) => withEdits.has(id) === hasEdits)) {
      const release = await claim(recordId, 0);
      if (release !== undefined) return { recordId, release };
    }
  }
  return undefined;
}

function measure(entries: ReadonlyMap<string, string>): ClaimedRecord['since'] {
  let count = 0;
  let length = 0;
  let pages = 0;
  for (const [key, text] of entries) {
    if (/page\d+$/.test(key)) pages += text.length;
    else {
      count += 1;
      length += text.length;
    }
  }
  return { count, length, pages };
}

/** Reads a head as far as that can be done. If it cannot, the edits of the record may be whole; of the rest nothing is known. */
export function readHead(text: string): { readonly head: RecordHead; readonly error?: unknown } {
  try {
    return { head: decodeHead(text) };
  } catch (error) {
    return { head: NO_HEAD, error };
  }
}

/** True for a record that a newer version of this package wrote: it is not touched (OFFLINE-7). */
function isNewer(error: unknown): boolean {
  return error instanceof TinyBasePartyKitError && error.code === 'protocol';
}

export function unreadable(cause: unknown): TinyBasePartyKitError {
  const message = isNewer(cause)
    ? 'A newer version of this package has stored offline data on this device. This version leaves it alone. Reload the page to get the newer version.'
    : 'Some offline data of this device is damaged, and was left out: the content is loaded from the room, and damaged edits are lost.';
  return new TinyBasePartyKitError('offline', message, { cause });
}

function nothing(): void {}
