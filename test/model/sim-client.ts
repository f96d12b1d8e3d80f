import { createStore, type Store } from 'tinybase';

import { createHttpEndpoint } from '../../src/client/content/http-endpoint.ts';
import { DurableOutbox } from '../../src/client/offline/durable-outbox.ts';
import type { Sync } from '../../src/client/session/sync-status.ts';
import { createSyncSession, type SyncSession } from '../../src/client/session/sync-session.ts';
import { StoreTurn } from '../../src/client/replica/store-turn.ts';
import type { SessionEndpoint } from '../../src/client/session/session-ports.ts';
import { decodeClientMessage, encodeChanges, encodeContent } from '../../src/protocol/codec.ts';
import { ERRORS, TinyBasePartyKitError } from '../../src/protocol/errors.ts';
import { joinFrames, splitFrame } from '../../src/protocol/frame.ts';
import { isEmptyChanges, type Changes } from '../../src/protocol/changes.ts';
import type { Leaf } from '../../src/protocol/leaf.ts';
import { LeafMap } from '../../src/protocol/leaf-map.ts';
import { readContent, readTransactionLog } from '../../src/protocol/store-access.ts';
import type { LogEntry } from '../../src/server/storage/log-row.ts';
import type { Choices } from './choices.ts';
import type { ClientDisk } from './client-disk.ts';
import { watchDerivations } from './derivations.ts';
import { EditLedger } from './edit-ledger.ts';
import {
  edit,
  mayRollBack,
  PAIR_CELLS,
  PAIR_ROWS,
  PAIR_TABLE,
  type UniqueLeaves,
} from './edits.ts';
import { leafName } from './leaves.ts';
import type { Http } from './http.ts';
import type { ClientEnd, Network, Wire } from './network.ts';
import type { Mutant } from './mutant.ts';
import { watchLoads } from './loads.ts';
import { ClientCalls, type SimCalls } from './sim-calls.ts';
import type { RoomProcess } from './room-process.ts';
import { plain, type StoreVariant } from './store-variants.ts';
import { WatchedUndo } from './watched-undo.ts';
import { PropertyFailure, type World } from './world.ts';

/** What a client lives in. */
export interface ClientSurroundings {
  readonly world: World;
  readonly network: Network;
  readonly http: Http;
  readonly room: RoomProcess;
  readonly unique: UniqueLeaves;
  /** The procedures of the room; undefined if it has none. */
  readonly calls: SimCalls | undefined;
  readonly prefix: string;
  readonly mutant: Mutant;
  readonly randomId: () => string;
  readonly randomNumber: () => number;
}

/** What a client is. */
export interface ClientTraits {
  readonly name: string;
  readonly variant: StoreVariant;
  /** If given, what is not confirmed survives the tab. */
  readonly disk: ClientDisk | undefined;
  /** The user of that browser; undefined if there is one alone. */
  readonly user?: string | undefined;
  /** The memory of the tab, which stays when it is loaded again. */
  readonly lastClient: { id?: string };
  /** What the room is to begin with, if nobody was faster. */
  readonly seed: LeafMap<Leaf> | undefined;
  /** True if the Store held that before its session began; otherwise the session is given it. */
  readonly isSeedInStore: boolean;
  /** True if its user can undo. */
  readonly canUndo: boolean;
  /** If given, the Store is that one's, and the session waits until the other one has ended (STORE-1). */
  readonly partner?: SimClient | undefined;
}

/** One tab: a real session over a real Store, on a socket and HTTP of the simulation. */
export class SimClient implements ClientEnd {
  readonly name: string;
  readonly traits: ClientTraits;
  readonly store: Store;
  /** The other session of the same Store. */
  partner: SimClient | undefined;
  session: SyncSession;
  /** True once the app has destroyed its session, while another one of the same Store goes on. */
  hasEnded = false;
  readonly ledger: EditLedger;
  /** The calls of this tab; undefined if the room has no procedures. */
  readonly calls: ClientCalls | undefined;
  /** False from when the tab is closed on. */
  isAlive = true;
  /** What there was before that transaction. */
  #before: LeafMap<Leaf> = new LeafMap();
  /** True while the user has a transaction open. */
  isEditing = false;
  wire: Wire | undefined;
  /** What the room held as of the last check. */
  seen: LeafMap<Leaf> = new LeafMap();
  /** True if anything has happened to it since it was checked last. */
  isTouched = true;
  readonly #surroundings: ClientSurroundings;
  /** As it said last. */
  #clientId = '';
  #turn: StoreTurn | undefined;
  #isUsersTurn = false;
  #isMove = false;
  /** The leaves that the user was the last to change. */
  readonly #own = new LeafMap<true>();
  undo: WatchedUndo | undefined;
  #outbox: DurableOutbox | undefined;
  /** False once the tab has said that it works without storage. */
  hasStorage = true;
  #isStopped = false;
  /** True once the room has welcomed this page. */
  #hasMetRoom = false;
  readonly #timers = new Set<() => void>();

  constructor(
    traits: ClientTraits,
    surroundings: ClientSurroundings,
    ledger: EditLedger = new EditLedger(),
  ) {
    this.name = traits.name;
    this.traits = traits;
    this.#surroundings = surroundings;
    this.ledger = ledger;
    this.partner = traits.partner;
    const ledgers = traits.disk?.ledgers.get(traits.user) ?? new Set();
    traits.disk?.ledgers.set(traits.user, ledgers.add(ledger));
    this.store = traits.partner?.store ?? createStore();
    if (traits.partner === undefined) this.#prepareStore();
    else traits.partner.partner = this;
    this.#watch();
    this.session = this.#createSession();
    this.calls = surroundings.calls && this.#createCalls();
    this.#connect();
  }

  #prepareStore(): void {
    const { seed, isSeedInStore, variant } = this.traits;
    if (seed !== undefined && isSeedInStore) this.store.setJson(encodeContent(seed));
    variant.prepare(this.store, this.name.replaceAll("'", ''));
  }

  get room(): RoomProcess {
    return this.#surroundings.room;
  }

  get sync(): Sync {
    return this.session.sync;
  }

  /** True if the client's base is the room's content at its version. */
  get isLive(): boolean {
    return this.isAlive && this.sync.phase === 'live';
  }

  /** The one of both sessions of the Store that the app uses. */
  get current(): SimClient {
    return this.hasEnded ? (this.partner ?? this) : this;
  }

  /** True if it does nothing: it waits for its Store, or has ended. */
  get isIdle(): boolean {
    return this.hasEnded || this.#turn?.isWaiting('follow') === true;
  }

  /** True if it has no storage any more, and a tab before it has left edits there. */
  get hasLeftEdits(): boolean {
    return this.isAlive && !this.hasStorage && this.hasEditsOnDisk;
  }

  /** True if there are edits of its user in its storage, whichever tab has made them. */
  get hasEditsOnDisk(): boolean {
    const { disk, user } = this.traits;
    return (disk?.editsOf(user).length ?? 0) > 0;
  }

  start(): void {
    const { seed, isSeedInStore } = this.traits;
    const { session } = this;
    const first = isSeedInStore ? undefined : seed;
    void this.#turn?.begin('follow', () => session.follow(first));
    void this.#turn?.begin('start-saving', () => session.startSaving());
  }

  /** The app destroys one of two persisters of a Store: the other one begins. */
  end(): void {
    this.isTouched = true;
    this.hasEnded = true;
    this.ledger.sessionEnded();
    this.session.destroy();
  }

  /** One transaction of the user. */
  edit(choices: Choices): void {
    const { transactions } = this.ledger;
    this.#asUser(() => edit(this.store, choices, this.#surroundings.unique));
    if (this.ledger.transactions > transactions) this.undo?.checkEdited();
  }

  /** The user undoes or redoes something. */
  move(isBackward: boolean): void {
    this.#isMove = true;
    this.#asUser(() => this.undo?.move(isBackward));
    this.#isMove = false;
  }

  /** The user undoes everything, redoes it, and undoes it again. */
  undoAll(entries: readonly LogEntry[]): void {
    this.isTouched = true;
    this.#isMove = true;
    this.#asUser(() =>
      this.undo?.undoAll(
        entries,
        ({ author }) =>
          author !== undefined && this.ledger.pushOf(author.clientId, author.push) !== undefined,
      ),
    );
    this.#isMove = false;
  }

  /** The user begins a transaction that others will have to wait for, or goes on with it, or ends it. */
  openTransaction(): void {
    this.isEditing = true;
    this.#before = readContent(this.store);
    this.store.startTransaction();
  }

  finishTransaction(isRolledBack: boolean): void {
    this.isEditing = false;
    this.#asUser(() =>
      this.store.finishTransaction(() => isRolledBack && mayRollBack(this.store, this.#before)),
    );
  }

  /** The app makes another session of the same Store on the same socket, as a component does that mounts twice. */
  remount(): void {
    this.isTouched = true;
    this.ledger.sessionEnded();
    this.session.destroy();
    this.undo?.checkEnded();
    this.session = this.#createSession();
    if (this.#isStopped) this.reconnect();
    void this.session.follow();
    void this.session.startSaving();
  }

  /** The tab is closed, and with it everything that is not on the client's disk. */
  die(choices: Choices): void {
    const { disk, user } = this.traits;
    const effects = disk === undefined ? 0 : choices.below(disk.writesInFlight(this) + 1);
    // A tab that is killed does not hear of its end. No choice of its own, for histories that were recorded.
    const isTold = effects % 2 === 0;
    if (isTold) disk?.end(this);
    const last = isTold && this.#keepsLast ? this.unconfirmed : [];
    this.isAlive = false;
    for (const cancel of this.#timers) cancel();
    if (this.wire !== undefined) this.#surroundings.network.closeByClient(this.wire);
    disk?.crash(this, effects);
    const kept = disk?.editsOf(user) ?? [];
    this.#checkLast(last, kept);
    // The clock was behind, so another page may have used the same numbers (OFFLINE-9): which, only the room could have told.
    const isDoubtful = disk?.isClockLost === true && !this.#hasMetRoom;
    this.ledger.tabClosed(isDoubtful ? [] : kept);
  }

  /** True if the end of its page loses no edit: its record is there. */
  get #keepsLast(): boolean {
    const { disk, lastClient } = this.traits;
    if (disk === undefined || disk.isHasty || !this.hasStorage) return false;
    return this.session.sync.phase !== 'idle' && disk.hasRecord(lastClient.id);
  }

  /** Last words: what a tab has not confirmed when it is told of its end is on its disk after it (OFFLINE-13). */
  #checkLast(unconfirmed: readonly Changes[], kept: readonly Changes[]): void {
    const texts = new Set(kept.map(encodeChanges));
    const lost = unconfirmed
      .filter((changes) => !isEmptyChanges(changes))
      .map(encodeChanges)
      .find((text) => !texts.has(text));
    if (lost === undefined) return;
    const message = `${this.name} ends, and ${lost} is not on its disk`;
    this.#surroundings.world.fail(new PropertyFailure('last words', message));
  }

  /** The user clears what is kept, as someone who logs out. */
  clear(): void {
    const { disk, user } = this.traits;
    this.hasStorage = false;
    this.#outbox?.forget();
    disk?.clear(this, user);
  }

  /** The edits that are not confirmed, in memory. */
  get unconfirmed(): readonly Changes[] {
    const { pending, held } = this.session.replica;
    const changes = pending.map((push) => push.changes);
    return held === undefined ? changes : [...changes, held];
  }

  /** Drops the socket and makes another. */
  reconnect(): void {
    const { wire } = this;
    if (!this.isAlive) return;
    if (wire === undefined) {
      this.#isStopped = false;
      this.#connect();
      return;
    }
    this.#surroundings.network.closeByClient(wire);
    this.closed();
  }

  /** True if the room has thrown its user out, or has found the token ended twice in a row. */
  get isThrownOut(): boolean {
    const { phase, code } = this.sync;
    return this.isAlive && phase === 'stopped' && (code === 'forbidden' || code === 'unauthorized');
  }

  /** The user has a new token, and begins again. */
  logIn(): void {
    this.isTouched = true;
    void this.session.follow();
    void this.session.startSaving();
  }

  opened(): void {
    this.isTouched = true;
    if (!this.isAlive) return;
    this.session.opened();
    this.calls?.opened();
  }

  closed(): void {
    if (!this.isAlive) return;
    this.isTouched = true;
    this.wire = undefined;
    this.session.closed();
    this.calls?.closed();
    if (!this.#isStopped && this.wire === undefined) this.#connect();
  }

  received(frame: string): void {
    this.isTouched = true;
    for (const message of splitFrame(frame)) {
      if (this.isAlive) this.#receivedMessage(message);
    }
  }

  #receivedMessage(frame: string): void {
    for (const received of this.#surroundings.mutant.atClient?.(frame, this) ?? [frame]) {
      try {
        this.session.received(received);
        this.calls?.received(received);
      } catch (error) {
        // As an event handler: whatever it throws, the socket goes on.
        this.#surroundings.world.note(`    ${this.name} threw ${String(error)}`);
      }
    }
  }

  #connect(): void {
    this.wire = this.#surroundings.network.connect(this);
  }

  #createSession(): SyncSession {
    const { world, network, prefix, randomId, mutant } = this.#surroundings;
    const endpoint = this.#endpoint();
    const { disk, lastClient, user } = this.traits;
    const device = disk?.deviceOf(this, lastClient, () => world.clock.now(), user);
    const session = createSyncSession(
      this.store,
      prefix,
      {
        socket: {
          address: () => 'ws://host.test/room',
          isOpen: () => this.isAlive && this.wire?.clientState === 'open',
          send: (frame) => {
            const { isAlive, wire } = this;
            if (!isAlive || wire === undefined) return;
            const messages = splitFrame(frame).flatMap((message) => {
              this.#note(wire, message);
              return mutant.fromClient?.(message, wire, this) ?? [message];
            });
            for (const sent of joinFrames(messages)) network.sendToRoom(wire, sent);
          },
          reconnect: () => this.reconnect(),
          stop: ({ code }) => this.#stop(ERRORS[code].closeCode, code),
        },
        endpoint: mutant.endpoint?.(endpoint, this) ?? endpoint,
        after: (milliseconds, callback) => this.#after(milliseconds, callback),
        now: () => world.clock.now(),
        soon: (callback) => this.#soon(callback),
        random: () => 0.5,
        firstGeneration: this.#surroundings.randomNumber(),
        randomId,
        ...(device && {
          createOutbox: (owner) => (this.#outbox = new DurableOutbox(device, owner)),
        }),
      },
      {
        onSync: (sync) => {
          this.#hasMetRoom ||= sync.phase === 'live';
          world.note(`    ${this.name} ${sync.phase} ${sync.unsaved} ${sync.code ?? ''}`);
        },
        onRefused: (refusals) => {
          world.note(`    ${this.name} refused ${JSON.stringify(refusals)}`);
          this.ledger.refused(refusals);
        },
        onError: (error) => {
          world.note(`    ${this.name} error ${String(error)}`);
          this.hasStorage &&= !(
            error instanceof TinyBasePartyKitError &&
            error.code === 'offline' &&
            error.message.includes('The persister works without.')
          );
        },
      },
    );
    this.#turn = new StoreTurn(
      session.replica.claim,
      (milliseconds, callback) => this.#after(milliseconds, callback),
      () => world.note(`    ${this.name} waits for its Store`),
    );
    watchDerivations(session.replica, this.name, (failure) => world.fail(failure));
    watchLoads(session.replica, this.ledger);
    if (this.traits.canUndo) this.undo = this.#createUndo(session);
    return session;
  }

  /** The user calls a procedure of the room. */
  call(choices: Choices): void {
    const { calls, wire } = this;
    const note = this.#surroundings.calls?.nextNote();
    if (calls === undefined || note === undefined) return;
    // Another part than the session is about to send.
    if (wire?.clientState === 'open') this.session.sendNow();
    const push = wire?.clientState === 'open' ? wire.sentPush : 0;
    calls.call(choices.percent(30) ? 'writeSlowly' : 'write', { note, push });
  }

  #createCalls(): ClientCalls {
    const { world, network, prefix, mutant } = this.#surroundings;
    return new ClientCalls(
      {
        name: this.name,
        isOpen: () => this.isAlive && this.wire?.clientState === 'open',
        send: (frame) => {
          const { wire } = this;
          if (wire === undefined) return;
          this.session.sendNow();
          for (const sent of mutant.fromClient?.(frame, wire, this) ?? [frame])
            network.sendToRoom(wire, sent);
        },
        after: (milliseconds, callback) => this.#after(milliseconds, callback),
      },
      world,
      prefix,
    );
  }

  #createUndo({ replica }: SyncSession): WatchedUndo {
    const { world } = this.#surroundings;
    const isUsersTurn = (): boolean => this.#isUsersTurn;
    const owner = {
      name: this.name,
      isPlain: this.traits.variant === plain && this.room.traits.variant.name === 'plain',
      now: () => world.clock.now(),
      wasWithdrawn: this.ledger.wasWithdrawn.bind(this.ledger),
      fail: (failure: PropertyFailure) => world.fail(failure),
      get isUsersTurn() {
        return isUsersTurn();
      },
    };
    return new WatchedUndo(replica, owner, this.#own);
  }

  #endpoint(): SessionEndpoint {
    const { http } = this.#surroundings;
    const endpoint = createHttpEndpoint(
      () => Promise.resolve(http.urlOf(this.name)),
      (milliseconds, callback) => this.#after(milliseconds, callback),
    );
    const touch = <T>(request: Promise<T>): Promise<T> =>
      request.finally(() => {
        this.isTouched = true;
      });
    /** True if the room has refused all of what this client gave, and had no Store since. */
    let isRefused = false;
    return {
      get: async (unique, onBytes) => {
        const loaded = await touch(endpoint.get(unique, onBytes));
        isRefused &&= loaded.content === undefined;
        return loaded;
      },
      put: async (content) => {
        // Whoever comes next would find a Store, and give none (SEED-2).
        if (isRefused && content.isEmpty) {
          const message = `${this.name} gives an empty first content because its own was refused`;
          this.#surroundings.world.fail(new PropertyFailure('first content', message));
        }
        const told = await touch(endpoint.put(content));
        const refused = told?.correction === undefined ? undefined : told;
        isRefused = refused?.correction.leaves.count() === content.count();
        // A tab that is closed hears nothing.
        if (!this.isAlive) return undefined;
        if (refused !== undefined) this.ledger.toldOfSeed(content, refused);
        return told;
      },
    };
  }

  /** A socket queues nothing, and hello goes first (FRAME-3). */
  #note(wire: Wire, frame: string): void {
    const { world, prefix } = this.#surroundings;
    const message = decodeClientMessage(prefix, frame);
    if (wire.clientState !== 'open' || (message?.type !== 'hello' && !wire.saidHello)) {
      world.fail(new PropertyFailure('frame', `${this.name} sent too early: ${frame}`));
    }
    if (message?.type === 'hello') {
      wire.saidHello = true;
      wire.sentPush = 0;
      this.#clientId = message.clientId;
    } else {
      const push = message?.type === 'part' ? wire.sentParts.take(message) : message;
      if (push?.type !== 'push') return;
      this.ledger.sent(this.#clientId, push.number, push.changes);
      this.#checkAuthor(push.changes);
      wire.sentPush = push.number;
    }
  }

  /** Nobody sends the edits of another user of the same browser (OFFLINE-4). */
  #checkAuthor(changes: Changes): void {
    const { disk, user } = this.traits;
    for (const [other, ledgers] of disk?.ledgers ?? [])
      for (const ledger of other === user ? [] : ledgers) {
        const record = ledger.madeIn(changes);
        if (record === undefined || this.ledger.hasMade(record)) continue;
        const message = `${this.name} sends ${leafName(record.table, record.row, record.cell)} = ${String(record.leaf)} of another user`;
        this.#surroundings.world.fail(new PropertyFailure('users', message));
      }
  }

  /** Later in the same instant: a user may do more before. */
  #soon(callback: () => void): void {
    this.#after(0, callback);
  }

  #after(milliseconds: number, callback: () => void): () => void {
    if (!this.isAlive) return () => undefined;
    const cancel = this.#surroundings.world.clock.after(milliseconds, () => {
      this.#timers.delete(cancel);
      this.isTouched = true;
      try {
        callback();
      } catch (error) {
        this.#surroundings.world.note(`    ${this.name} threw ${String(error)}`);
      }
    });
    this.#timers.add(cancel);
    return () => {
      this.#timers.delete(cancel);
      cancel();
    };
  }

  #stop(code: number, reason: string): void {
    this.#isStopped = true;
    if (this.wire !== undefined) this.#surroundings.network.closeByClient(this.wire, code, reason);
    this.wire = undefined;
  }

  #asUser(action: () => void): void {
    this.#isUsersTurn = true;
    try {
      action();
    } catch (error) {
      this.#surroundings.world.note(`    ${this.name} threw ${String(error)}`);
    } finally {
      this.#isUsersTurn = false;
    }
  }

  #watch(): void {
    this.store.addDidFinishTransactionListener(() => {
      this.isTouched = true;
      this.#checkPairs();
      const log = readTransactionLog(this.store);
      this.undo?.finished(log, this.#isMove);
      if (!this.#isUsersTurn || !this.isAlive) return;
      if (!log.before.isEmpty) {
        this.#surroundings.world.note(`    ${this.name} did ${encodeChanges(log.changes)}`);
        const { session } = this.current;
        // While it reads what it kept, it holds all edits.
        const isOpening = session.sync.phase === 'idle';
        this.ledger.add(log, !session.isSaving || isOpening, this.#isMove);
      }
    });
  }

  /** Atomic: what was set in one transaction is seen together, or not at all. */
  #checkPairs(): void {
    const [left, right] = PAIR_CELLS;
    for (const row of PAIR_ROWS) {
      const leaves = [
        this.store.getCell(PAIR_TABLE, row, left),
        this.store.getCell(PAIR_TABLE, row, right),
      ];
      if (leaves[0] === leaves[1]) continue;
      this.#surroundings.world.fail(
        new PropertyFailure(
          'atomic',
          `${this.name} shows half of a transaction: ${leaves.map(String).join(' / ')}`,
        ),
      );
    }
  }
}
