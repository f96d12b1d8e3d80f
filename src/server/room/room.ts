import type { Store } from 'tinybase';
import { createStore } from 'tinybase/store';

import { decodeClientMessage, decodePushNumber } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { ClientMessage, Cursor, LargePush } from '../../protocol/messages.ts';
import { ObservedStore } from '../../protocol/observed-store.ts';
import type { TransactionLog } from '../../protocol/store-access.ts';

import { Committer } from '../history/committer.ts';
import { ContentCache } from './content-cache.ts';
import { ErrorReporter } from './error-reporter.ts';
import type { JournalItem } from '../history/journal.ts';
import type { Later } from './later.ts';
import { LedgerKeeper } from '../history/ledger-keeper.ts';
import type { Ledger } from '../history/ledger.ts';
import { MessageHandler, type SeedOutcome } from './message-handler.ts';
import { Dispatcher } from './dispatcher.ts';
import { Peers, type Peer } from './peers.ts';
import type { RoomConnection, RoomHost } from './room-host.ts';
import { makeRoomDocument, readRoomDocument, type RoomDocument } from './room-document.ts';
import { RoomLoader } from '../history/room-loader.ts';
import {
  DEFAULT_HOOK_TIMEOUT_MILLISECONDS,
  DEFAULT_LIMITS,
  type RoomErrorSource,
  type RoomLimits,
  type RoomOptions,
} from './room-options.ts';
import { StepQueue } from './step-queue.ts';
import { StoreWriter } from '../writes/store-writer.ts';

/** Full content at a cursor. */
export interface RoomContent {
  readonly cursor: Cursor;
  /** `[tables, values]` as TinyBase writes it; undefined if the room has no Store yet. */
  readonly json: string | undefined;
}

/** Transactions of the app, none of whose own code is told when they are lost. */
const OWN_CODE = { author: undefined, peer: undefined, isServerSide: true };

/**
 * A room: owns a TinyBase Store, puts every change to it in one order, makes it durable and tells everybody. Knows no
 * host: connections, storage and time come from outside. docs/protocol.md has the rules.
 *
 * `Origin` is what hooks get as the connection, `RequestOrigin` what they get as the request.
 */
export class Room<Origin, RequestOrigin = Origin> {
  /**
   * The room's Store: the source of truth. Each transaction of the app's own becomes a commit, or in a room that has no
   * Store yet, its first content. Wait for {@link Room.start} before reading it.
   */
  readonly store: Store = createStore();
  readonly #options: RoomOptions<Origin, RequestOrigin>;
  readonly #reporter: ErrorReporter;
  readonly #queue = new StepQueue();
  readonly #peers: Peers<Origin>;
  readonly #dispatcher: Dispatcher<Origin>;
  readonly #writer: StoreWriter<Origin | RequestOrigin>;
  readonly #committer: Committer<Origin>;
  readonly #handler: MessageHandler<Origin, RequestOrigin>;
  readonly #loader: RoomLoader;
  readonly #keeper: LedgerKeeper;
  readonly #now: () => number;
  readonly #contentCache: ContentCache;
  #limits = DEFAULT_LIMITS;
  /** What of them the app has set, as it was when they were put together. */
  #setLimits: Partial<RoomLimits> | undefined;
  #revision = 0;

  constructor(host: RoomHost<Origin>, options: RoomOptions<Origin, RequestOrigin> = {}) {
    this.#options = options;
    this.#now = () => host.now();
    this.#contentCache = new ContentCache((milliseconds, callback) =>
      host.after(milliseconds, callback),
    );
    this.#reporter = new ErrorReporter((error, where) => options.onRoomError?.(error, where));
    const onRoomError = (error: unknown, where: RoomErrorSource): void =>
      this.#reporter.report(error, where);
    const observed = new ObservedStore(this.store, (log) => this.#onTransaction(log));
    this.#peers = new Peers(host);
    this.#dispatcher = new Dispatcher({
      peers: this.#peers,
      messagePrefix: () => this.#messagePrefix(),
      limits: () => this.limits,
    });
    this.#writer = new StoreWriter<Origin | RequestOrigin>(observed, {
      hooks: () => options.hooks?.() ?? {},
      hookTimeoutMilliseconds: () =>
        options.hookTimeoutMilliseconds?.() ?? DEFAULT_HOOK_TIMEOUT_MILLISECONDS,
      onRoomError,
      whenWritten: async () => (await this.#keeper.current?.journal.whenWritten()) ?? false,
      revision: () => this.#revision,
      after: (milliseconds, callback) => host.after(milliseconds, callback),
    });
    this.#loader = new RoomLoader({
      store: this.store,
      run: (actions, finish) => this.#writer.runUnlogged(actions, finish),
      prepareStore: (store) => options.prepareStore?.(store),
    });
    this.#keeper = new LedgerKeeper({
      host,
      store: this.store,
      loader: this.#loader,
      storagePrefix: () => options.storagePrefix?.() ?? '',
      storageSizes: () => options.storageSizes?.(),
      isFree: () => this.#writer.isFree(),
      connectedClients: () => this.#peers.clients(),
      onLoaded: (ledger, { made }) => {
        for (const log of made) this.#committer.commit(ledger, log, OWN_CODE);
      },
      onDiscarded: (error, lost) => this.#onDiscarded(error, lost),
      onRoomError,
    });
    this.#committer = new Committer(this.store, this.#dispatcher);
    this.#handler = new MessageHandler({
      store: this.store,
      peers: this.#peers,
      dispatcher: this.#dispatcher,
      committer: this.#committer,
      writer: this.#writer,
      now: () => host.now(),
      isCurrent: (ledger) => ledger === this.#keeper.current,
    });
  }

  /** What the room takes at most. */
  get limits(): RoomLimits {
    const set = this.#options.limits?.();
    if (set !== this.#setLimits) {
      this.#setLimits = set;
      this.#limits = { ...DEFAULT_LIMITS, ...set };
    }
    return this.#limits;
  }

  /** True if the Store has what storage says. */
  get isLoaded(): boolean {
    return this.#keeper.current !== undefined;
  }

  /**
   * Resolves when the Store has what storage says. May be called often. Rejects with `unavailable` if that fails, and
   * tries again at the next call.
   */
  async start(): Promise<void> {
    await this.#loaded();
  }

  /**
   * Resolves when all that happened to the Store is durable. Rejects with `unavailable` if that was lost: it is reported,
   * and nobody but the room's own code has seen it.
   */
  async whenDurable(): Promise<void> {
    // What is done to the Store before it is loaded becomes a commit when it is.
    if (!this.#keeper.hasLoaded) await this.#loaded();
    await this.#assertStored(this.#keeper.current?.journal.whenDurable());
  }

  /**
   * Takes a frame from a connection. Never rejects; resolves when it was dealt with. What no frame of ours is, is left
   * alone.
   */
  async receive(connection: RoomConnection<Origin>, data: unknown): Promise<void> {
    const peer = this.#peers.of(connection);
    if (peer.isGone || peer.hasLeft) return;
    peer.restoreAttachment();
    const length = typeof data === 'string' ? data.length : 0;
    const admitted = peer.admit(length, this.#now(), this.limits);
    if (admitted === undefined) {
      this.#refuseFlood(peer);
      return;
    }
    const dealt = this.#deal(() => this.#takeFrame(peer, data));
    if (dealt !== undefined) await dealt;
    const ledger = this.#keeper.current;
    if (ledger === undefined) admitted.onLost();
    else ledger.journal.release(admitted);
  }

  /** To be called when a connection is closed, if the host can tell. */
  disconnected(connection: RoomConnection<Origin>): void {
    this.#peers.of(connection).leave();
  }

  /** The durable content. Rejects with `unavailable` if there is no telling. */
  async content(): Promise<RoomContent> {
    for (;;) {
      await this.#loaded();
      await this.#writer.whenFree();
      // Either may have changed while the other was waited for.
      const ledger = this.#keeper.current;
      if (ledger === undefined || !this.#writer.isFree()) continue;
      const { cursor, hasStore } = ledger;
      const json = hasStore
        ? this.#contentCache.read(ledger, () => this.store.getJson())
        : undefined;
      await this.#assertStored(ledger.journal.whenWritten());
      return { cursor, json };
    }
  }

  /**
   * Gives the room its first content (`SEED-1`), and tells what of it was refused or altered (`SEED-4`). Rejects with
   * `unavailable` if that could not be made durable.
   */
  async seed(content: LeafMap<Leaf>, request: RequestOrigin): Promise<SeedOutcome> {
    const { outcome, ledger } = await this.#queue.add(async () => {
      const loaded = await this.#keeper.load();
      return { outcome: await this.#handler.seed(loaded, content, request), ledger: loaded };
    });
    await this.#assertStored(ledger.journal.whenDurable());
    return outcome;
  }

  /**
   * Takes a push that came over HTTP (`ONCE-6`); its ack goes over the socket. Resolves when it is in the queue. Rejects
   * with `stale` if the client is not connected and live, with `unavailable` if the room cannot be loaded.
   */
  async pushLarge({ clientId, generation, push }: LargePush): Promise<void> {
    await this.#loaded();
    for (const { peer, state } of this.#peers.ofClient(clientId)) {
      if (state.generation !== generation || state.standing !== 'live') continue;
      void this.#deal(() => this.#takeMessage(peer, push));
      return;
    }
    throw new TinyBasePartyKitError(
      'stale',
      'No live connection of that client and generation: say hello first.',
    );
  }

  /** Looks at nothing, so that a flood costs others as little as can be (`FLOOD-1`). */
  #refuseFlood(peer: Peer<Origin>): void {
    const { state } = peer;
    const text = 'This connection sends more than the room takes of one: say hello a little later.';
    if (state.type !== 'client') this.#dispatcher.close(peer, 'overloaded', text);
    else {
      if (state.standing !== 'stopped') peer.setState({ ...state, standing: 'stopped' });
      // Again, because what was refused may have been a hello.
      if (peer.mayTell(this.#now()))
        this.#dispatcher.sendError(undefined, peer, 'overloaded', text);
    }
  }

  /** The durable room as one document; undefined if it has no Store. Rejects with `unavailable` if there is no telling. */
  async exportRoom(): Promise<RoomDocument | undefined> {
    const { cursor, json } = await this.content();
    return json === undefined ? undefined : makeRoomDocument(cursor, json);
  }

  /**
   * Makes the room what a document says, in a new epoch: everybody loads it anew, and what clients have not had confirmed
   * yet they push again, on top of it (`JOIN-8`). Atomic on disk. Rejects with `malformed` if it is no document, with
   * `unavailable` if it cannot be stored: then the room is loaded again, as whichever of the two is on disk.
   */
  async restoreRoom(document: unknown): Promise<void> {
    const { version, content } = readRoomDocument(document);
    await this.#queue.add(async () => {
      const ledger = await this.#keeper.load();
      while (!ledger.journal.isSettled) await this.#assertStored(ledger.journal.whenDurable());
      // Before anything is written: nobody may take a version of the new epoch for one of the old.
      const text = 'The room was restored to another state: load it.';
      this.#dismiss(text);
      try {
        await this.#keeper.replace(ledger, content, version);
      } finally {
        // They may have loaded the old state meanwhile, and would never know.
        for (const peer of this.#peers.open()) {
          if (peer.state.type === 'stock') this.#dispatcher.close(peer, 'unavailable', text);
        }
      }
    });
  }

  #messagePrefix(): string {
    return this.#options.messagePrefix?.() ?? '';
  }

  /** Runs a step in the queue. Neither throws nor rejects. */
  #deal(step: () => Later<void>): Later<void> {
    const report = (error: unknown): void => this.#reporter.report(error, 'room');
    try {
      const dealt = this.#queue.add(step);
      return dealt instanceof Promise ? dealt.catch(report) : undefined;
    } catch (error) {
      report(error);
      return undefined;
    }
  }

  async #loaded(): Promise<Ledger> {
    return this.#keeper.current ?? (await this.#queue.add(() => this.#keeper.load()));
  }

  #takeFrame(peer: Peer<Origin>, data: unknown): Later<void> {
    if (peer.isGone) return undefined;
    let message: ClientMessage | undefined;
    try {
      message = decodeClientMessage(this.#messagePrefix(), data);
    } catch (error) {
      if (!(error instanceof TinyBasePartyKitError)) throw error;
      // With an empty prefix, what does not decode may be the app's own frame (`FRAME-2`).
      if (peer.state.type === 'client') {
        const push = decodePushNumber(this.#messagePrefix(), data);
        this.#dispatcher.sendError(this.#keeper.current, peer, error.code, error.message, push);
      }
      return undefined;
    }
    return message === undefined ? undefined : this.#takeMessage(peer, message);
  }

  #takeMessage(peer: Peer<Origin>, message: ClientMessage): Later<void> {
    const loading = this.#keeper.load();
    return loading instanceof Promise
      ? loading.then(
          (ledger) => this.#handler.handle(ledger, peer, message),
          () => this.#refuse(peer, message),
        )
      : this.#handler.handle(loading, peer, message);
  }

  /** The room cannot be loaded. A stock peer can be told only by closing, and only where it lost something. */
  #refuse(peer: Peer<Origin>, message: ClientMessage): void {
    const text = 'The room cannot be loaded just now: try again later.';
    if (peer.isGone) return;
    if (peer.state.type === 'client' || message.type === 'hello') {
      this.#dispatcher.sendError(undefined, peer, 'unavailable', text);
    } else if (message.type === 'stock') this.#dispatcher.close(peer, 'unavailable', text);
  }

  /** A transaction of the app's own has finished. */
  #onTransaction(log: TransactionLog): void {
    this.#revision += 1;
    if (this.#loader.claims(log)) return;
    const ledger = this.#keeper.current;
    if (ledger !== undefined) this.#committer.commit(ledger, log, OWN_CODE);
    else if (this.#keeper.hasLoaded)
      this.#reporter.reportLost(new Error('The room was being loaded or restored.'), [log.changes]);
  }

  /** A write failed: nothing that was not durable has happened (`DURABLE-3`). */
  #onDiscarded(error: unknown, lost: readonly JournalItem[]): void {
    this.#dismiss('The room could not store what it was sent, and forgot it: say hello.');
    this.#reporter.report(error, 'storage');
    this.#reporter.reportLost(
      error,
      lost.flatMap(({ entry, isServerSide }) =>
        isServerSide && entry.changes !== undefined ? [entry.changes] : [],
      ),
    );
    void this.#deal(() => this.#reload());
  }

  /** Everybody loses their place, for what they know of the room may not hold any more. */
  #dismiss(text: string): void {
    this.#revision += 1;
    for (const peer of this.#peers.open()) {
      const { state } = peer;
      if (state.type === 'client') {
        this.#dispatcher.sendError(undefined, peer, 'stale', text);
        peer.setState({ ...state, standing: 'stopped' });
      } else this.#dispatcher.close(peer, 'unavailable', text);
    }
  }

  async #reload(): Promise<void> {
    try {
      await this.#keeper.load();
    } catch {
      // It was reported, and is tried again when something needs the room.
    }
  }

  /** Rejects with `unavailable` if a journal says that something was lost. */
  async #assertStored(isStored: Promise<boolean> | undefined): Promise<void> {
    if ((await isStored) === true) return;
    throw new TinyBasePartyKitError('unavailable', 'The room could not store it: try again later.');
  }
}
