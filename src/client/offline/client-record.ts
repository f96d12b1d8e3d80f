/** The entries of a client in an `OfflineStorage`: their keys, and their texts. */
import {
  addChanges,
  applyChangesToLeaves,
  ChangesBuilder,
  type Changes,
} from '../../protocol/changes.ts';
import {
  decodeChanges,
  decodeContent,
  encodeChanges,
  encodeContent,
} from '../../protocol/codec.ts';
import { cursorToJson, jsonToCursor, type Cursor } from '../../protocol/cursor.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { asArray, asCount, asString, decodeJson } from '../../protocol/json.ts';
import { asClientId } from '../../protocol/messages/hello.ts';
import type { PendingPush } from '../replica/pending-push.ts';
import type { RestoredSession } from '../session/session-ports.ts';

/** The version of the format of the entries. */
const FORMAT = 1;

/** The length of a page of content, in characters. */
export const PAGE_LENGTH: number = 64 * 1024;

/**
 * The number of hellos that need no further write of the head: a page may use so many generations without writing them. It is small, so
 * that the next page, which begins with the time in milliseconds, is above all of these (OFFLINE-6).
 */
export const RESERVED_GENERATIONS = 16;

/** The number of digits of a number in a key, so that the order of keys is that of numbers. */
const DIGITS = 16;

/** The head of a client's record. The record exists if it has one. */
export interface RecordHead {
  /** The highest generation that a hello may have been sent with. */
  readonly generation: number;
  /** The highest push number given out, or a lower one if the record has a push with a higher one. */
  readonly lastNumber: number;
  /** The time of the last write of the base, in milliseconds since 1970; 0 if there is no base. */
  readonly savedAt: number;
  /** The client id, if it is not the id of the record any more (OFFLINE-6). */
  readonly clientId: string | undefined;
}

/** Names the owner of records: a user and a room. Nothing is ever read or sent under another name (OFFLINE-4). */
export function scopeOf(user: string | undefined, address: string, prefix: string): string {
  return JSON.stringify([user ?? null, address, prefix]);
}

/** The beginning of all keys of a user. */
export function keysOfUser(user: string | undefined): string {
  return `[${JSON.stringify(user ?? null)},`;
}

/** A key of a push, or of held edits, up to what tells apart the entries of held edits. */
const EDIT_KEY = /\]e[\w-]+\/(?:held|\d+$)/;

/** Counts the edits in entries with these keys: each push, and all held edits of a client as one. */
export function countEdits(keys: Iterable<string>): number {
  const edits = new Set<string>();
  for (const key of keys) {
    const end = EDIT_KEY.exec(key);
    if (end !== null) edits.add(key.slice(0, end.index + end[0].length));
  }
  return edits.size;
}

/** The keys of one scope. */
export class RecordKeys {
  /** The beginning of all heads. */
  readonly heads: string;
  /** The beginning of all pushes and held edits. */
  readonly edits: string;
  readonly scope: string;
  readonly #bases: string;

  constructor(scope: string) {
    this.scope = scope;
    this.heads = `${scope}h`;
    this.edits = `${scope}e`;
    this.#bases = `${scope}b`;
  }

  head(recordId: string): string {
    return this.heads + recordId;
  }

  /** The beginning of the pushes and held edits of a client. */
  editsOf(recordId: string): string {
    return `${this.edits}${recordId}/`;
  }

  push(recordId: string, number: number): string {
    return this.editsOf(recordId) + digits(number);
  }

  /** The edits that wait for saving to start; also the beginning of the keys of {@link heldSince}. */
  held(recordId: string): string {
    return `${this.editsOf(recordId)}held`;
  }

  /** The beginning of the pages and changes of a client's base. */
  baseOf(recordId: string): string {
    return `${this.#bases}${recordId}/`;
  }

  page(recordId: string, index: number): string {
    return `${this.baseOf(recordId)}page${digits(index)}`;
  }

  /** Changes since the pages were written. */
  changes(recordId: string, index: number): string {
    return `${this.baseOf(recordId)}since${digits(index)}`;
  }

  /** Returns the record id in a key. */
  recordOf(key: string): string {
    const start = key.startsWith(this.heads) ? this.heads.length : this.edits.length;
    const end = key.indexOf('/', start);
    return key.slice(start, end < 0 ? undefined : end);
  }

  /** The beginnings of all keys of a client. */
  all(recordId: string): readonly string[] {
    return [this.head(recordId), this.editsOf(recordId), this.baseOf(recordId)];
  }
}

/** Returns the key of held edits that were made after the entry with that key was written. */
export function heldSince(held: string, index: number): string {
  return held + digits(index);
}

function digits(number: number): string {
  return String(number).padStart(DIGITS, '0');
}

export function encodeHead(head: RecordHead): string {
  const { generation, lastNumber, savedAt, clientId } = head;
  return JSON.stringify([
    FORMAT,
    generation,
    lastNumber,
    savedAt,
    ...(clientId === undefined ? [] : [clientId]),
  ]);
}

/** Decodes {@link encodeHead}. Throws `malformed`, and `protocol` for a head that a newer version of this package wrote. */
export function decodeHead(text: string): RecordHead {
  return decodeJson('offline record', text, (json) => {
    const [format, generation, lastNumber, savedAt, clientId] = asArray(json, 1, 100);
    if (asCount(format) > FORMAT)
      throw new TinyBasePartyKitError(
        'protocol',
        'A newer version of this package wrote a record.',
      );
    return {
      generation: asCount(generation),
      lastNumber: asCount(lastNumber),
      savedAt: asCount(savedAt),
      clientId: clientId === undefined ? undefined : asClientId(clientId),
    };
  });
}

export function encodePush({ encoded, isDerived }: PendingPush): string {
  return (isDerived ? 'd' : 'u') + encoded;
}

/** Encodes edits that wait, as a push, which has a letter first. */
export function encodeHeld(held: Changes): string {
  return `u${encodeChanges(held)}`;
}

/** The edits of a client, as far as they can be read. */
export interface StoredEdits {
  readonly pushes: readonly PendingPush[];
  readonly held: Changes | undefined;
  /** The keys of what cannot be read. */
  readonly damaged: readonly string[];
}

/** Decodes the entries under `RecordKeys.editsOf`. */
export function decodeEdits(entries: ReadonlyMap<string, string>): StoredEdits {
  const pushes: PendingPush[] = [];
  const damaged: string[] = [];
  let held: ChangesBuilder | undefined;
  for (const [key, text] of [...entries].sort(([one], [other]) => (one < other ? -1 : 1))) {
    try {
      const encoded = text.slice(1);
      const changes = decodeChanges(encoded);
      const number = Number(key.slice(-DIGITS));
      if (/\/held\d*$/.test(key)) addChanges((held ??= new ChangesBuilder()), changes);
      else if (!Number.isSafeInteger(number)) damaged.push(key);
      else pushes.push({ number, changes, encoded, isDerived: text.startsWith('d') || undefined });
    } catch {
      damaged.push(key);
    }
  }
  return { pushes, held, damaged };
}

/** The base of a client: content and cursor. */
export type StoredBase = NonNullable<RestoredSession['base']>;

/** Returns the entries of a base, by their place: each holds a part of the text. */
export function encodePages({ cursor, content }: StoredBase): readonly string[] {
  const text = encodeContent(content);
  const pages: string[] = [];
  for (let start = 0; start < text.length;) {
    let end = start + PAGE_LENGTH;
    // Not every storage takes half a character (UTF-16 surrogates).
    if (/[\uD800-\uDBFF]/.test(text.charAt(end - 1))) end += 1;
    pages.push(text.slice(start, end));
    start = end;
  }
  return [JSON.stringify([cursorToJson(cursor), pages.length]), ...pages];
}

export function encodeSince(cursor: Cursor, changes: Changes): string {
  return JSON.stringify([cursorToJson(cursor), encodeChanges(changes)]);
}

/** Decodes the entries under `RecordKeys.baseOf`. Throws `malformed` if anything of it is missing or damaged. */
export function decodeBase(entries: ReadonlyMap<string, string>): StoredBase {
  const sorted = [...entries].sort(([one], [other]) => (one < other ? -1 : 1));
  const texts = sorted.map(([, text]) => text);
  const isPage = sorted.map(([key]) => key.slice(0, -DIGITS).endsWith('page'));
  const count = isPage.filter(Boolean).length;
  const first = decodeJson('offline content', texts[0] ?? '', (json) => {
    const [cursor, pages] = asArray(json, 2, 2);
    return { cursor: jsonToCursor(cursor), pages: asCount(pages) };
  });
  const content = decodeContent(texts.slice(1, count).join(''));
  const isWhole = sorted.every(([key], index) =>
    key.endsWith(digits(index < count ? index : index - count)),
  );
  if (first.pages !== count - 1 || content === undefined || !isWhole)
    throw new TinyBasePartyKitError('malformed', 'The stored content is not whole.');
  let { cursor } = first;
  for (const text of texts.slice(count)) {
    const [next, changes] = decodeJson('offline changes', text, (json) => {
      const [since, encoded] = asArray(json, 2, 2);
      return [jsonToCursor(since), asString(encoded)] as const;
    });
    applyChangesToLeaves(content, decodeChanges(changes));
    cursor = next;
  }
  return { cursor, content };
}
