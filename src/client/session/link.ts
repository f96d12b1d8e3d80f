import { ERRORS, TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Cursor, RoomMessage } from '../../protocol/messages.ts';
import { Backoff } from './backoff.ts';
import type { RestoredRecords } from '../offline/client-storage.ts';
import { ContentLoader } from '../content/content-loader.ts';
import { Conversation } from './conversation.ts';
import { Inbox } from './inbox.ts';
import { Outage } from './outage.ts';
import type { Outbox } from '../offline/outbox.ts';
import { hasStore, NO_PLACE } from './place.ts';
import type { Refusal } from '../replica/refusal.ts';
import type { Replica } from '../replica/replica.ts';
import type { LoadedContent, SessionPorts } from './session-ports.ts';
import type { Stats } from './stats.ts';
import { StockConversation } from '../stock/stock-conversation.ts';
import type { InitialContent, SyncPhase } from './sync.ts';
import type { Wishes } from './wishes.ts';

/** An error if nothing more comes of it in this room. */
type LinkState = Exclude<SyncPhase, 'stopped'> | TinyBasePartyKitError;

type InboxItem = RoomMessage | { readonly type: 'content'; readonly loaded: LoadedContent };

/** What a link needs of its session, and tells it. */
export interface LinkOptions {
  readonly ports: SessionPorts;
  readonly prefix: () => string;
  readonly replica: Replica;
  readonly wishes: Wishes;
  readonly outbox: Outbox;
  readonly stats: Stats;
  /** Anything may have changed that can be asked. */
  readonly onChange: () => void;
  /** What is not confirmed by now never will be. */
  readonly onStopped: (error: TinyBasePartyKitError) => void;
  readonly onRefused: (refusals: readonly Refusal[]) => void;
  readonly onError: (error: unknown) => void;
}

/** What ties a Store to its room: loads, says hello, and finds its place again whatever happens, as long as it is wanted. */
export class Link {
  readonly #options: LinkOptions;
  readonly #conversation: Conversation;
  readonly #stock: StockConversation;
  readonly #inbox: Inbox<InboxItem>;
  readonly #loader: ContentLoader;
  readonly #backoff: Backoff;
  readonly #outage: Outage;
  #state: LinkState = 'idle';

  constructor(options: LinkOptions) {
    this.#options = options;
    const { ports, onChange } = options;
    const { after, random, socket, endpoint } = ports;
    this.#stock = new StockConversation({
      ...options,
      socket,
      onStanding: (standing) => this.#setState(standing),
      onProgress: onChange,
      onLost: () => {
        this.#conversation.setPlace(NO_PLACE);
        this.#rejoin();
      },
    });
    this.#conversation = new Conversation({
      ...options,
      onStanding: (standing) => this.#setState(standing),
      onProgress: () => {
        this.#backoff.reset();
        this.advance();
        onChange();
      },
      onReload: () => this.#load(),
      onLost: () => this.#rejoin(),
      onStopped: (error) => this.#refused(error),
    });
    this.#loader = new ContentLoader({
      ...options,
      endpoint,
      conversation: this.#conversation,
      stock: this.#stock,
      onContent: (loaded) => this.#inbox.add({ type: 'content', loaded }),
      onPlace: () => {
        this.#setState('connecting');
        this.#loader.settle();
        this.advance();
      },
      onFailed: (error) => this.#loadFailed(error),
      onReload: () => this.#load(),
    });
    this.#inbox = new Inbox<InboxItem>(after, (item) => {
      const isDone = item.type === 'content' ? this.#loader.take(item.loaded) : this.#handle(item);
      onChange();
      return isDone;
    });
    this.#backoff = new Backoff(after, random);
    this.#outage = new Outage(after, () => socket.address(), options.onError);
  }

  /** As whom the room knows this client. */
  get identity(): { readonly clientId: string; readonly generation: number } {
    return this.#conversation.identity;
  }

  get phase(): SyncPhase {
    return typeof this.#state === 'object' ? 'stopped' : this.#state;
  }

  /** Why it stopped, if it did. */
  get error(): TinyBasePartyKitError | undefined {
    return typeof this.#state === 'object' ? this.#state : undefined;
  }

  /** What the base is a version of; undefined while nothing of the room is held. */
  get cursor(): Cursor | undefined {
    const { place } = this.#conversation;
    return place.type === 'base' ? place.cursor : undefined;
  }

  /** The Store was not kept equal to the room's content: it is not that of any version. */
  forgetBase(): void {
    if (this.cursor !== undefined) this.#conversation.setPlace(NO_PLACE);
  }

  /** Goes on where a client stopped (KEEP-1). */
  restore(restored: RestoredRecords): void {
    const { base } = restored;
    this.#conversation.restore(restored);
    if (base === undefined) return;
    this.#conversation.setPlace({ type: 'base', cursor: base.cursor });
    this.#loader.firstContent.rooted();
  }

  /** Loads the content now. Settles after the first attempt. */
  load(initialContent: InitialContent | undefined): Promise<void> {
    this.#loader.firstContent.suggest(initialContent);
    const loaded = this.#loader.wait();
    this.#load();
    return loaded;
  }

  /** Gives the room what is here if it has nothing. Settles when it is known to have a Store, or not to answer. */
  seedIfEmpty(): Promise<void> {
    if (this.error !== undefined) return Promise.resolve();
    if (hasStore(this.#conversation.place)) {
      this.#options.wishes.isSavingOnce = false;
      this.advance();
      return Promise.resolve();
    }
    const loaded = this.#loader.wait();
    if (this.#state !== 'loading') this.#load();
    return loaded;
  }

  /** There is something to be sent. */
  flush(): void {
    if (this.#state === 'idle') this.advance();
    this.#conversation.flush();
    this.#stock.flush();
  }

  /** More is durable here: what waited for that goes out. */
  durable(): void {
    this.#conversation.durable();
    this.#stock.flush();
  }

  /** Does what is to be done next, wherever it stands. */
  advance(): void {
    const { place, standing, hasSaidHello } = this.#conversation;
    const { socket } = this.#options.ports;
    if (this.error !== undefined || this.#state === 'loading') return;
    if (!this.#isEngaged) this.#setState('idle');
    else if (place.type === 'none') this.#load();
    else if (!socket.isOpen()) this.#setState('connecting');
    else if (standing !== 'off') this.#conversation.flush();
    else {
      this.#backoff.stop();
      if (place.type !== 'stock') {
        this.#inbox.clear();
        this.#conversation.join();
        // What was a room of ours takes no stock changes where hello was said.
      } else if (hasSaidHello) socket.reconnect();
      else this.#stock.join(place.hasStore);
    }
  }

  /** The socket is open. */
  opened(): void {
    this.#outage.end();
    this.#disconnected();
    this.#conversation.opened();
    this.#loader.opened();
    this.#backoff.reset();
    if (this.#state === 'loading') this.#backoff.hurry();
    this.advance();
  }

  /** The socket is not open any more, or has failed to open. */
  closed(): void {
    if (this.#isEngaged) this.#outage.closed();
    this.#disconnected();
  }

  /** The network was lost, or is back: what the socket is connected to may not be there any more. */
  networkChanged(): void {
    this.#conversation.check();
    if (this.#state === 'loading') this.#backoff.hurry();
  }

  /** A message arrived. */
  received(message: RoomMessage): void {
    if (!this.#isEngaged) return;
    this.#conversation.heard(message);
    if (message.type === 'stock' && this.#state === 'loading') this.#stock.keep(message.changes);
    else this.#inbox.add(message);
  }

  /** Another room, and another client there: nothing of the old one is of use. */
  renew(): void {
    this.#conversation.renew();
    this.#loader.firstContent.reset();
    this.#loader.cancel();
    this.#inbox.clear();
    this.#setState('idle');
  }

  /** Ends it, unless it is renewed. To be told when all that follows from it is done. */
  stop(error: TinyBasePartyKitError): void {
    this.#state = error;
    this.#conversation.leave();
    this.#stock.leave();
    this.#inbox.stop();
    this.#backoff.stop();
    this.#outage.end();
    this.#loader.cancel();
    this.#loader.settle();
    this.#options.onStopped(error);
  }

  get #isEngaged(): boolean {
    const { wishes, replica } = this.#options;
    return this.error === undefined && (wishes.isAny || replica.pending.length > 0);
  }

  #setState(state: Exclude<SyncPhase, 'stopped'>): void {
    this.#state = state;
    if (state !== this.#conversation.standing) this.#conversation.leave();
    if (state !== this.#stock.standing) this.#stock.leave();
    if (state === 'idle') this.#outage.end();
    else if (!this.#options.ports.socket.isOpen()) this.#outage.begin();
    this.#options.onChange();
  }

  #disconnected(): void {
    this.#inbox.clear((item) => item.type === 'content');
    const { place, standing } = this.#conversation;
    if (place.type === 'stock') this.#conversation.setPlace(NO_PLACE);
    if (standing !== 'off' || this.#stock.standing !== 'off') this.#setState('connecting');
  }

  /** Deals with a message. False: the Store is busy, and nothing was done. */
  #handle(message: RoomMessage): boolean {
    const isStock = this.#conversation.place.type === 'stock';
    return isStock ? this.#stock.handle(message) : this.#conversation.handle(message);
  }

  #load(): void {
    if (this.error !== undefined) {
      this.#loader.settle();
      return;
    }
    if (this.cursor === undefined) this.#conversation.setPlace(NO_PLACE);
    this.#inbox.clear();
    this.#backoff.stop();
    this.#setState('loading');
    this.#loader.load();
  }

  /** Without content, or a first one, there is no room to talk to; what the Store shows stays as it is. */
  #loadFailed(error: unknown): void {
    if (error instanceof TinyBasePartyKitError && !error.isRetryable) this.#refused(error);
    else if (this.#isEngaged) this.#backoff.retry(() => this.#load());
    else this.#setState('idle');
    // A suggestion is shown where there was no content.
    this.#options.onChange();
  }

  #rejoin(): void {
    // The content is on its way, and the next hello will be about that.
    if (this.#state === 'loading') return;
    this.#inbox.clear();
    this.#setState('connecting');
    this.#backoff.retry(() => this.advance());
  }

  /** The room would answer every further attempt the same way. */
  #refused(error: TinyBasePartyKitError): void {
    this.stop(error);
    this.#options.onChange();
    this.#options.ports.socket.stop(ERRORS[error.code].closeCode, error.code);
  }
}
