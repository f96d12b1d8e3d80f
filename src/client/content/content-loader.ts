import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { Conversation } from '../session/conversation.ts';
import { BUSY, FirstContent } from './first-content.ts';
import { NO_PLACE } from '../session/place.ts';
import type { Refusal } from '../replica/refusal.ts';
import type { Replica } from '../replica/replica.ts';
import type { LoadedContent, SessionEndpoint } from '../session/session-ports.ts';
import type { Stats } from '../session/stats.ts';
import type { StockConversation } from '../stock/stock-conversation.ts';
import type { Wishes } from '../session/wishes.ts';

/** What a loader needs of its session, and tells it. */
export interface ContentLoaderOptions {
  readonly endpoint: SessionEndpoint;
  readonly replica: Replica;
  readonly conversation: Conversation;
  readonly stock: StockConversation;
  readonly wishes: Wishes;
  readonly stats: Stats;
  /** Content came: to be handed to {@link ContentLoader.take}, when its turn comes. */
  readonly onContent: (loaded: LoadedContent) => void;
  /** There is a place now. */
  readonly onPlace: () => void;
  /** There was no answer, or none that can be used. */
  readonly onFailed: (error: unknown) => void;
  /** The content has to be asked for again. */
  readonly onReload: () => void;
  readonly onRefused: (refusals: readonly Refusal[]) => void;
  readonly onError: (error: unknown) => void;
}

/** Brings the room's content here by GET, and makes a first one of what is here by PUT (JOIN-1, SEED-1 to SEED-3). */
export class ContentLoader {
  readonly #options: ContentLoaderOptions;
  readonly firstContent: FirstContent;
  /** Only what the latest request brings counts. */
  #requestNumber = 0;
  #waiters: (() => void)[] = [];
  #isToldOfStock = false;
  /** How often the socket has opened, and how often when the content was asked for. */
  #openings = 0;
  #openingsAtLoad = 0;

  constructor(options: ContentLoaderOptions) {
    this.#options = options;
    this.firstContent = new FirstContent(options.replica);
  }

  /** Settles when the first attempt that is made from now on has come to something. */
  wait(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Nothing more comes of what was attempted. */
  settle(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  /** The socket has opened. */
  opened(): void {
    this.#openings++;
  }

  /** Asks for the content. */
  load(): void {
    const { endpoint, stock, onContent } = this.#options;
    stock.expect();
    this.#openingsAtLoad = this.#openings;
    void this.#request(
      () => endpoint.get(),
      onContent,
      (error) => this.#failed(error),
    );
  }

  /** What was asked for does not count any more. */
  cancel(): void {
    this.#requestNumber++;
    this.#tellOfRefusals();
  }

  /** Takes content that came. False: the Store is busy, and nothing was done. */
  take({ cursor, content }: LoadedContent): boolean {
    if (cursor !== undefined) this.#isToldOfStock = false;
    else if (!this.#isToldOfStock) this.#tellOfStock();
    if (content === undefined) return this.#takeNothing(cursor === undefined);
    if (cursor === undefined) return this.#takeStock(content);
    const { replica, conversation, wishes } = this.#options;
    if (conversation.mayRoomHavePending) {
      const isShown = wishes.isLoadingOnce;
      conversation.setPlace({ type: 'staged', cursor, content, isShown });
    } else {
      if (!replica.catchUp(content, 0, undefined, wishes.wantsContent)) return false;
      conversation.setPlace({ type: 'base', cursor });
    }
    this.#rooted();
    return true;
  }

  /** The room is TinyBase's own (STOCK-4). */
  #takeStock(content: LeafMap<Leaf>): boolean {
    const { conversation, stock, wishes, onReload } = this.#options;
    if (this.#openings !== this.#openingsAtLoad) {
      // What was changed between that GET and the opening, nobody will ever tell.
      onReload();
      return true;
    }
    if (!stock.show(content, wishes.wantsContent)) return false;
    conversation.setPlace({ type: 'stock', hasStore: true });
    this.#rooted();
    return true;
  }

  #takeNothing(isStock: boolean): boolean {
    const { conversation, wishes, onReload } = this.#options;
    conversation.setPlace(NO_PLACE);
    if (!this.firstContent.show()) return false;
    const seed = wishes.givesSeed ? this.firstContent.next() : undefined;
    if (seed === BUSY) return false;
    if (seed === undefined) {
      conversation.setPlace(isStock ? { type: 'stock', hasStore: false } : { type: 'empty' });
      this.#end();
      return true;
    }
    this.#tellOfRefusals();
    this.#options.stats.saves++;
    void this.#request(
      () => this.#put(seed),
      () => {
        this.firstContent.answered();
        onReload();
      },
      (error) => {
        // What was asked for once is still wanted: the next attempt may give it.
        this.#options.onError(error);
        this.#options.onFailed(error);
        this.settle();
      },
    );
    return true;
  }

  async #put(seed: LeafMap<Leaf>): Promise<void> {
    const number = this.#requestNumber;
    const correction = await this.#options.endpoint.put(seed);
    if (correction === undefined) return;
    this.firstContent.corrected(seed, correction);
    // What else was asked for meanwhile may have come already.
    if (number !== this.#requestNumber) this.#tellOfRefusals();
  }

  #rooted(): void {
    this.firstContent.rooted();
    this.#options.stats.loads++;
    this.#end();
  }

  #end(): void {
    this.#options.wishes.endOnce();
    this.firstContent.dropSuggestion();
    this.#tellOfRefusals();
    this.#options.onPlace();
  }

  #tellOfRefusals(): void {
    const refusals = this.firstContent.takeRefusals();
    if (refusals.length > 0) this.#options.onRefused(refusals);
  }

  #failed(error: unknown): void {
    const { wishes, onError, onFailed } = this.#options;
    onError(error);
    this.firstContent.show();
    wishes.endOnce();
    this.settle();
    onFailed(error);
  }

  #tellOfStock(): void {
    this.#isToldOfStock = true;
    const message =
      "This room runs TinyBase's own server, so its guarantees hold and not those of tinybase-partykit: edits may be lost or refused without a word, and Stores may differ. Change the server's import path, too.";
    this.#options.onError(new TinyBasePartyKitError('protocol', message));
  }

  async #request<T>(
    request: () => Promise<T>,
    onAnswer: (answer: T) => void,
    onError: (error: unknown) => void,
  ): Promise<void> {
    const number = ++this.#requestNumber;
    let answer: T;
    try {
      answer = await request();
    } catch (error) {
      if (number === this.#requestNumber) onError(error);
      return;
    }
    if (number === this.#requestNumber) onAnswer(answer);
  }
}
