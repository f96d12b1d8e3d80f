import type { FormerClient } from '../replica/former-client.ts';
import { readHead, type ClaimedRecord } from './claim-record.ts';
import { encodeHead, RESERVED_GENERATIONS } from './client-record.ts';
import type { LastWrite, OfflineWrite } from './offline-storage.ts';

/** A head in a write. */
export interface HeadWrite {
  readonly text: string;
  readonly generation: number;
  readonly clientId: string;
}

/**
 * The head of a record. It guards each write: nothing is written unless the stored head is the one that this page wrote last, or has said
 * as it was about to end.
 */
export class HeadGuard {
  readonly key: string;
  readonly #recordId: string;
  readonly #keepsEdits: boolean;
  #clientId: string;
  /** True until the present client id is stored. */
  #isRenaming = false;
  /** The stored head; undefined if there is none. */
  #text: string | undefined;
  /** The generation in it, if this page wrote it. */
  #generation = 0;
  /** The head of the write under way, if it has one. */
  #nextText: string | undefined;
  /** The head in the last words of this page, until a later write is durable: another page may have heard them. */
  #said: { readonly text: string | undefined } | undefined;
  /** True if the next write has to change the head: the last words are void from then on (OFFLINE-13). */
  #isSpent = false;

  /** @param keepsEdits false for a record without edits: then generations do not matter. */
  constructor(key: string, { recordId, clientId, headText }: ClaimedRecord, keepsEdits: boolean) {
    this.key = key;
    this.#recordId = recordId;
    this.#keepsEdits = keepsEdits;
    this.#clientId = clientId;
    this.#text = headText;
  }

  /** The name of the client whose record this is. */
  get clientId(): string {
    return this.#clientId;
  }

  get isRenaming(): boolean {
    return this.#isRenaming;
  }

  get isStored(): boolean {
    return this.#text !== undefined;
  }

  get isSaid(): boolean {
    return this.#said !== undefined;
  }

  /** The guard of a write. */
  get guard(): NonNullable<OfflineWrite['guard']> {
    return { key: this.key, value: this.#text };
  }

  /** The guard of a write on top of the last words. Without a value, these have no head. */
  get saidGuard(): NonNullable<OfflineWrite['guard']> {
    return { key: this.key, value: this.#said?.text };
  }

  /** The guard of new last words: the write under way may be stored by then, and so may be what was said before. */
  get lastGuard(): LastWrite['guard'] {
    const now = this.#text;
    return { key: this.key, values: [now, this.#nextText ?? now, this.#said?.text ?? now] };
  }

  isGenerationDurable(generation: number): boolean {
    return !this.#keepsEdits || (generation <= this.#generation && !this.#isRenaming);
  }

  rename(clientId: string): void {
    this.#clientId = clientId;
    this.#isRenaming = true;
  }

  /** Returns the head for a write; undefined if the stored one will do. */
  write(client: FormerClient, savedAt: number, isDue: boolean): HeadWrite | undefined {
    const generation = this.#generationFor(client);
    const isNew = !this.isStored || generation > this.#generation;
    this.#nextText = undefined;
    if (!isDue && !isNew && !this.#isRenaming) return undefined;
    const text = this.#encode(client, savedAt);
    this.#nextText = text;
    this.#isSpent = false;
    return { text, generation, clientId: this.#clientId };
  }

  /** Call this when a write with that head is durable. */
  stored({ text, generation, clientId }: HeadWrite): void {
    this.#text = text;
    this.#generation = generation;
    if (!this.#isSpent) this.#said = undefined;
    if (clientId === this.#clientId) this.#isRenaming = false;
  }

  /** Returns the head for last words; undefined if the stored one will do. */
  writeLast(client: FormerClient): string | undefined {
    // The first write tells a page that had the record before, and may come back, that it is not its own any more (OFFLINE-14).
    const isFirst = this.#generation === 0;
    if (this.isStored && !isFirst && !this.#isRenaming) return undefined;
    // The base that is being written may not come.
    return this.#encode(client, readHead(this.#text ?? '').head.savedAt);
  }

  /** Call this when the page has said its last words. */
  said(text: string | undefined): void {
    // What was said before may still be heard.
    this.#said = { text: text ?? this.#said?.text };
    this.#isSpent = true;
  }

  /** Returns true if no page has changed the record, as the head that is stored now tells. */
  isOwn(text: string | undefined): boolean {
    // Another page has read what this one said as it went, and no more.
    if (text !== undefined && text === this.#said?.text) this.#text = text;
    return text === this.#text;
  }

  /** Forgets the last words, unless the stored head tells that another page has heard them. */
  unsay(text: string | undefined): void {
    if (text !== this.#said?.text) this.#said = undefined;
  }

  /** Returns a generation that lasts for some hellos. */
  #generationFor({ generation }: FormerClient): number {
    const durable = this.#generation;
    if (!this.#keepsEdits) return durable;
    if (generation > durable) return generation + RESERVED_GENERATIONS;
    return this.#isSpent ? durable + 1 : durable;
  }

  #encode(client: FormerClient, savedAt: number): string {
    return encodeHead({
      generation: this.#generationFor(client),
      lastNumber: client.lastNumber,
      savedAt,
      clientId: this.#clientId === this.#recordId ? undefined : this.#clientId,
    });
  }
}
