import type { Store } from 'tinybase';

import { decodeContent, decodeRoomMessage, encodeContent } from '../protocol/codec.ts';
import { ERRORS, TinyBasePartyKitError } from '../protocol/errors.ts';
import { LeafMap } from '../protocol/leaf-map.ts';
import type { Cursor, RoomMessage } from '../protocol/messages.ts';
import { Backoff } from './backoff.ts';
import type { RestoredRecords } from './client-storage.ts';
import { Confirmations } from './confirmations.ts';
import { Conversation } from './conversation.ts';
import { ContentLoader } from './content-loader.ts';
import { BUSY } from './first-content.ts';
import { Inbox } from './inbox.ts';
import { Outage } from './outage.ts';
import { Outbox } from './outbox.ts';
import { hasStore, NO_PLACE } from './place.ts';
import { Replica } from './replica.ts';
import type { LoadedContent, SessionPorts } from './session-ports.ts';
import { StockConversation } from './stock-conversation.ts';
import { SyncReport } from './sync-report.ts';
import type { InitialContent, SessionEvents, Sync, SyncPhase } from './sync.ts';
import { Wishes } from './wishes.ts';

/** Nothing more comes of it in this room or, if it is final, in any: then the session was destroyed or replaced. */
interface Stopped {
  readonly error: TinyBasePartyKitError;
  readonly isFinal: boolean;
}

/** `joined`: as far as the conversation stands. `reduced`: the room is a stock one. */
type SessionState = 'idle' | 'loading' | 'connecting' | 'joined' | 'reduced' | Stopped;

type InboxItem = RoomMessage | { readonly type: 'content'; readonly loaded: LoadedContent };

/** How long to wait before asking again whether the app's transaction is over. */
const BUSY_MILLISECONDS = 5;

/**
 * Keeps a Store and a room together: loads, joins, and finds its place again whatever happens. Synchronous at its core:
 * sockets, HTTP, time and randomness come from outside.
 */
export class SyncSession {
  /** The session's view of the Store. */
  readonly replica: Replica;
  readonly #ports: SessionPorts;
  readonly #prefix: () => string;
  readonly #report: SyncReport;
  readonly #outbox: Outbox;
  readonly #conversation: Conversation;
  readonly #stock: StockConversation;
  readonly #inbox: Inbox<InboxItem>;
  readonly #loader: ContentLoader;
  readonly #backoff: Backoff;
  readonly #outage: Outage;
  readonly #confirmations = new Confirmations();
  #state: SessionState = 'idle';
  /** True if hello was said on the socket: a room of ours takes no stock changes there. */
  #hasSaidHello = false;
  readonly #wishes = new Wishes();

  constructor(store: Store, prefix: () => string, ports: SessionPorts, events: SessionEvents) {
    this.#ports = ports;
    this.#prefix = prefix;
    this.#report = new SyncReport(events);
    const onError = (error: unknown): void => this.#report.failed(error);
    this.replica = new Replica(store, {
      onPending: () => this.#onPending(),
      onRefused: (refusals) => {
        this.#tell();
        events.onRefused(refusals);
      },
      onError,
    });
    this.#outbox = new Outbox({
      storage: ports.storage,
      after: ports.after,
      state: () => ({
        ...this.#conversation.identity,
        lastNumber: this.replica.lastNumber,
        pending: this.replica.pending,
      }),
      base: () => this.#base(),
      onDurable: () => {
        if (this.#state === 'reduced') this.#flushStock();
        else this.#conversation.durable();
      },
      onError,
    });
    this.#stock = new StockConversation({
      socket: ports.socket,
      prefix,
      replica: this.replica,
      outbox: this.#outbox,
    });
    this.#conversation = new Conversation({
      ports,
      prefix,
      replica: this.replica,
      outbox: this.#outbox,
      wishes: this.#wishes,
      onStanding: () => this.#setState('joined'),
      onProgress: () => {
        this.#backoff.reset();
        this.#advance();
        this.#tell();
      },
      onReload: () => this.#load(),
      onLost: () => this.#rejoin(),
      onStopped: (error) => this.#stop(error),
      onRefused: (refusals) => events.onRefused(refusals),
      onError,
    });
    this.#loader = new ContentLoader({
      endpoint: ports.endpoint,
      replica: this.replica,
      conversation: this.#conversation,
      stock: this.#stock,
      wishes: this.#wishes,
      onContent: (loaded) => {
        this.#inbox.add({ type: 'content', loaded });
      },
      onPlace: () => {
        this.#setState('connecting');
        this.#loader.settle();
        this.#advance();
      },
      onFailed: (error) => this.#loadFailed(error),
      onReload: () => this.#load(),
      onRefused: (refusals) => events.onRefused(refusals),
      onError,
    });
    this.#inbox = new Inbox<InboxItem>(ports.after, (item) => {
      const isDone = item.type === 'content' ? this.#loader.take(item.loaded) : this.#handle(item);
      this.#tell();
      return isDone;
    });
    this.#backoff = new Backoff(ports.after, ports.random);
    this.#outage = new Outage(ports.after, () => onError(outageError(ports.socket.address())));
    if (ports.restored !== undefined) this.#restore(ports.restored);
  }

  /** The state as of now. */
  get sync(): Sync {
    return this.#report.sync;
  }

  /** How often remote content or changes were applied, and how often something was sent. */
  get stats(): { loads: number; saves: number } {
    const { commits, pushes } = this.#conversation.counts;
    const { loads, seeds } = this.#loader.counts;
    const stock = this.#stock.counts;
    return { loads: loads + commits + stock.commits, saves: seeds + pushes + stock.pushes };
  }

  /** What the base is a version of; undefined while nothing of the room is held. */
  get cursor(): Cursor | undefined {
    const { place } = this.#conversation;
    return place.type === 'base' ? place.cursor : undefined;
  }

  get isFollowing(): boolean {
    return this.#wishes.isFollowing;
  }

  get isSaving(): boolean {
    return this.#wishes.isSaving;
  }

  /** Shows the room's content and everything that happens to it. Settles after the first attempt to load. */
  follow(initialContent?: InitialContent): Promise<void> {
    if (this.#isRefused()) return Promise.resolve();
    // What the Store shows was not kept equal to the room's content, so it is not that of any version.
    if (!this.#wishes.isFollowing && this.cursor !== undefined)
      this.#conversation.setPlace(NO_PLACE);
    this.#wishes.isFollowing = true;
    this.replica.setFollowing(true);
    return this.#startLoading(initialContent);
  }

  /** Shows no more remote changes. */
  stopFollowing(): void {
    this.#wishes.isFollowing = false;
    this.replica.setFollowing(false);
    this.#advance();
  }

  /** Sends edits from now on, and those held. Settles when the room is known to have a Store, or not to answer. */
  startSaving(): Promise<void> {
    if (this.#isRefused()) return Promise.resolve();
    this.replica.startTracking();
    this.#wishes.isSaving = true;
    this.replica.setSaving(true);
    return this.#seedIfEmpty();
  }

  /** Holds edits from now on. What is pending is still sent. */
  stopSaving(): void {
    this.#wishes.isSaving = false;
    this.replica.setSaving(false);
    this.#advance();
  }

  /** Shows the room's content once. */
  load(initialContent?: InitialContent): Promise<void> {
    if (this.#isRefused()) return Promise.resolve();
    this.#wishes.isLoadingOnce = true;
    return this.#startLoading(initialContent);
  }

  /** Sends what is held once, and makes the Store the room's first content if it has none. */
  save(): Promise<void> {
    if (this.#isRefused()) return Promise.resolve();
    this.replica.startTracking();
    this.#wishes.isSavingOnce = true;
    this.replica.releaseHeld();
    return this.#seedIfEmpty();
  }

  /** Settles when all edits made so far are confirmed; rejects if they cannot be any more. */
  whenConfirmed(): Promise<void> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped.error);
    if (this.#unsaved === 0) return Promise.resolve();
    // What is held will be one push, the next.
    return this.#confirmations.wait(this.replica.lastNumber + (this.replica.hasHeld ? 1 : 0));
  }

  /** Shows the room's leaves in place of local-only ones (LOCAL-2). */
  discardLocal(): void {
    if (this.#stopped?.isFinal === true) return;
    if (this.replica.discardLocal()) this.#tell();
    else this.#ports.after(BUSY_MILLISECONDS, () => this.discardLocal());
  }

  /** The socket is open. */
  opened(): void {
    this.#outage.end();
    this.#disconnect();
    this.#hasSaidHello = false;
    this.#loader.opened();
    this.#backoff.reset();
    if (this.#state === 'loading') this.#backoff.hurry();
    this.#advance();
  }

  /** The socket is not open any more, or has failed to open. */
  closed(): void {
    if (this.#isEngaged) this.#outage.closed();
    this.#disconnect();
  }

  #disconnect(): void {
    this.#inbox.clear((item) => item.type === 'content');
    if (this.#conversation.place.type === 'stock') this.#conversation.setPlace(NO_PLACE);
    if (this.#state === 'joined' || this.#state === 'reduced') this.#setState('connecting');
  }

  /** The network was lost, or is back: what the socket is connected to may not be there any more. */
  networkChanged(): void {
    this.#conversation.check();
    if (this.#state === 'loading') this.#backoff.hurry();
  }

  /** A frame arrived; those that are not ours are ignored. */
  received(data: unknown): void {
    if (!this.#isEngaged) return;
    const message = this.#decode(data);
    if (message === undefined) return;
    this.#conversation.heard(message);
    if (message.type === 'stock' && this.#state === 'loading') this.#stock.keep(message.changes);
    else this.#inbox.add(message);
  }

  /** The socket leads to another room now: nothing of the old one goes there. */
  moveToAnotherRoom(): void {
    if (this.#stopped?.isFinal === true) return;
    const message =
      'The socket leads to another room now; edits that the old one had not confirmed were reported and not sent.';
    this.#confirmations.end(new TinyBasePartyKitError('replaced', message));
    this.#state = 'idle';
    this.replica.abandon('another-room');
    this.#outbox.clear();
    this.#conversation.renew();
    this.#loader.firstContent.reset();
    this.#loader.cancel();
    this.#inbox.clear();
    this.#setState('idle');
    this.#advance();
  }

  /** Ends the session; edits that are not confirmed are reported. */
  destroy(): void {
    const message =
      'The persister was destroyed; edits that the room had not confirmed were reported, and later ones are not tracked.';
    this.#end(new TinyBasePartyKitError('destroyed', message));
  }

  /** As {@link destroy}, because another session uses the socket from now on. That is reported, too. */
  replaced(): void {
    if (this.#stopped?.isFinal === true) return;
    const message =
      'Another persister was created on the same socket, with the same messagePrefix: this one sends and shows nothing any more.';
    const error = new TinyBasePartyKitError('replaced', message);
    this.#end(error);
    this.#report.failed(error);
  }

  #restore(restored: RestoredRecords): void {
    const { outbox, base } = restored;
    this.replica.startTracking();
    if (base !== undefined) {
      this.replica.catchUp(decodeContent(base.content) ?? new LeafMap(), 0, undefined, true);
      this.#conversation.setPlace({ type: 'base', cursor: base.cursor });
      this.#loader.firstContent.rooted();
    }
    this.#conversation.restore(restored);
    if (outbox === undefined) return;
    const pushes = this.#outbox.restore(outbox, base?.folded ?? 0);
    this.replica.restore(pushes, outbox.lastNumber);
  }

  get #isEngaged(): boolean {
    return this.#stopped === undefined && (this.#wishes.isAny || this.replica.pending.length > 0);
  }

  get #stopped(): Stopped | undefined {
    return typeof this.#state === 'object' ? this.#state : undefined;
  }

  /** True if nothing can be started any more; says why. */
  #isRefused(): boolean {
    if (this.#stopped?.isFinal !== true) return false;
    this.#report.failed(this.#stopped.error);
    return true;
  }

  get #unsaved(): number {
    return this.replica.pending.length + (this.replica.hasHeld ? 1 : 0);
  }

  #startLoading(initialContent: InitialContent | undefined): Promise<void> {
    this.replica.startTracking();
    this.#loader.firstContent.suggest(initialContent);
    const loaded = this.#loader.wait();
    this.#load();
    return loaded;
  }

  #seedIfEmpty(): Promise<void> {
    if (this.#stopped !== undefined) return Promise.resolve();
    if (hasStore(this.#conversation.place)) {
      this.#wishes.isSavingOnce = false;
      this.#advance();
      return Promise.resolve();
    }
    const loaded = this.#loader.wait();
    if (this.#state !== 'loading') this.#load();
    return loaded;
  }

  /** Does what is to be done next, wherever the session stands. */
  #advance(): void {
    if (this.#stopped !== undefined || this.#state === 'loading') return;
    if (!this.#isEngaged) this.#setState('idle');
    else if (this.#conversation.place.type === 'none') this.#load();
    else if (!this.#ports.socket.isOpen()) this.#setState('connecting');
    else if (this.#conversation.place.type === 'stock') this.#goOnReduced();
    else if (this.#state === 'joined') this.#conversation.flush();
    else {
      this.#backoff.stop();
      this.#inbox.clear();
      this.#hasSaidHello = true;
      this.#conversation.join();
    }
  }

  #goOnReduced(): void {
    this.#backoff.stop();
    if (this.#hasSaidHello) this.#ports.socket.reconnect();
    else {
      if (this.#state !== 'reduced') this.#setState('reduced');
      this.#flushStock();
    }
  }

  #flushStock(): void {
    const { place } = this.#conversation;
    // What a room without a Store is sent, it drops.
    if (place.type === 'stock' && place.hasStore) this.#stock.flush();
    this.#tell();
  }

  /** Deals with a message. False: the Store is busy, and nothing was done. */
  #handle(message: RoomMessage): boolean {
    const { place } = this.#conversation;
    if (place.type !== 'stock') return this.#conversation.handle(message);
    if (this.#state !== 'reduced') return true;
    if (message.type === 'stock' && place.hasStore) return this.#stock.receive(message.changes);
    // Somebody has given the room its Store; or it is ours after all, and its next answer to GET says so.
    this.#setState('connecting');
    this.#conversation.setPlace(NO_PLACE);
    this.#backoff.retry(() => this.#advance());
    return true;
  }

  #load(): void {
    if (this.#stopped !== undefined) {
      this.#loader.settle();
      return;
    }
    const { place } = this.#conversation;
    if (place.type !== 'base') this.#conversation.setPlace(NO_PLACE);
    this.#inbox.clear();
    this.#backoff.stop();
    this.#setState('loading');
    this.#loader.load();
  }

  /** Without content, or a first one, there is no room to talk to; what the Store shows stays as it is. */
  #loadFailed(error: unknown): void {
    if (error instanceof TinyBasePartyKitError && !error.isRetryable) this.#stop(error);
    else if (this.#isEngaged) this.#backoff.retry(() => this.#load());
    else this.#setState('idle');
    // A suggestion is shown where there was no content.
    this.#tell();
  }

  #rejoin(): void {
    // The content is on its way, and the next hello will be about that.
    if (this.#state === 'loading') return;
    this.#inbox.clear();
    this.#setState('connecting');
    this.#backoff.retry(() => this.#advance());
  }

  /** For good, unless the socket is led to another room. */
  #stop(error: TinyBasePartyKitError): void {
    this.#halt({ error, isFinal: false });
    this.#tell();
    this.#ports.socket.stop(ERRORS[error.code].closeCode, error.code);
  }

  /** For good. */
  #end(error: TinyBasePartyKitError): void {
    if (this.#stopped?.isFinal === true) return;
    this.#wishes.end();
    this.#halt({ error, isFinal: true });
    this.#inbox.stop();
    this.#outbox.stop();
    this.replica.stop();
    this.replica.abandon('destroyed');
    this.#tell();
  }

  /** To be reported when all that follows from it is done. */
  #halt(stopped: Stopped): void {
    this.#state = stopped;
    this.#conversation.leave();
    this.#inbox.clear();
    this.#backoff.stop();
    this.#outage.end();
    this.#loader.cancel();
    this.#loader.settle();
    this.#confirmations.end(stopped.error);
  }

  #decode(data: unknown): RoomMessage | undefined {
    try {
      return decodeRoomMessage(this.#prefix(), data);
    } catch {
      // With an empty prefix this may be the app's own; if it was ours, the next commit or pong shows the gap.
      return undefined;
    }
  }

  #onPending(): void {
    this.#outbox.save();
    if (this.#state === 'joined') this.#conversation.flush();
    else if (this.#state === 'reduced') this.#flushStock();
    else if (this.#state === 'idle') this.#advance();
    this.#tell();
  }

  #base(): { cursor: Cursor; content: string } | typeof BUSY | undefined {
    const { cursor } = this;
    // While content is being loaded, the Store may show what the cursor left behind long ago.
    if (cursor === undefined || !this.#wishes.isFollowing || this.sync.phase !== 'live')
      return undefined;
    const content = this.replica.readBase();
    return content === undefined ? BUSY : { cursor, content: encodeContent(content) };
  }

  #setState(state: SessionState): void {
    this.#state = state;
    if (state !== 'joined') this.#conversation.leave();
    if (state === 'idle') this.#outage.end();
    else if (!this.#ports.socket.isOpen()) this.#outage.begin();
    this.#tell();
  }

  get #phase(): SyncPhase {
    if (typeof this.#state === 'object') return 'stopped';
    const { place } = this.#conversation;
    if (this.#state === 'reduced' && place.type === 'stock' && !place.hasStore) return 'empty';
    if (this.#state !== 'joined') return this.#state;
    const { standing } = this.#conversation;
    return standing === 'off' ? 'connecting' : standing;
  }

  #tell(): void {
    const unsaved = this.#unsaved;
    this.#confirmations.settle(unsaved === 0 ? Infinity : this.replica.nextPush);
    const { localOnly } = this.replica;
    this.#report.stands(this.#phase, { unsaved, localOnly }, this.#stopped?.error);
  }
}

function outageError(address: string): TinyBasePartyKitError {
  const message = `The socket to ${address} does not open. Is the server running? Is the protocol right (PartySocket takes wss for hosts that it does not know as local, such as 0.0.0.0)? Is the URL, with its query, below 2 KB?`;
  return new TinyBasePartyKitError('network', message);
}
