import { createStore, type Store } from 'tinybase';

import { createHttpEndpoint } from '../../src/client/content/http-endpoint.ts';
import { scopeOf } from '../../src/client/offline/client-record.ts';
import { DurableOutbox, type OfflineDevice } from '../../src/client/offline/durable-outbox.ts';
import type { OutboxOwner } from '../../src/client/offline/outbox.ts';
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
import { LOST } from '../support/lost-socket.ts';
import { Deferred } from '../support/deferred.ts';
import type { Choices } from './choices.ts';
import type { ClientDisk, TabMemory } from './client-disk.ts';
import { watchDerivations } from './derivations.ts';
import type { EditLedger } from './edit-ledger.ts';
import {
  edit,
  mayRollBack,
  PAIR_CELLS,
  PAIR_ROWS,
  PAIR_TABLE,
  type UniqueLeaves,
} from './edits.ts';
import { describeChanges, leafName } from './leaves.ts';
import type { ClientEnd, Wire } from './network.ts';
import type { Mutant } from './mutant.ts';
import { watchLoads, watchSaving } from './loads.ts';
import { watchMoves } from './moves.ts';
import type { Place } from './place.ts';
import { ClientCalls, type SimCalls } from './sim-calls.ts';
import { plain, type StoreVariant } from './store-variants.ts';
import { WatchedUndo } from './watched-undo.ts';
import { PropertyFailure, type World } from './world.ts';

/** What a client lives in. */
export interface ClientSurroundings {
  readonly world: World;
  readonly home: Place;
  /** Undefined if there is no other room. */
  readonly other: Place | undefined;
  readonly unique: UniqueLeaves;
  /** The procedures of the room; undefined if it has none. */
  readonly calls: SimCalls | undefined;
  readonly prefix: string;
  readonly mutant: Mutant;
  readonly randomId: () => string;
  readonly randomNumber: () => number;
  /** At least 0, less than 1. */
  readonly random: () => number;
}

/** The edits of one tab, for each of the rooms. */
export interface Ledgers {
  readonly home: EditLedger;
  readonly other: EditLedger;
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
  readonly lastClient: TabMemory;
  /** What the room is to begin with, if nobody was faster. */
  readonly seed: LeafMap<Leaf> | undefined;
  /** True if the Store held that before its session began; otherwise the session is given it. */
  readonly isSeedInStore: boolean;
  /** True if its user can undo. */
  readonly canUndo: boolean;
  /** If given, the Store is that one's, and the session waits until the other one has ended (STORE-1). */
  readonly partner?: SimClient | undefined;
  /** The room where it begins; that of the simulation if it is not given. */
  readonly begins?: Place | undefined;
}

/** The user, room and storage of a new session of a Store. */
export interface MountOptions {
  readonly user: string | undefined;
  /** Makes the ledgers of a user that the tab has not had. */
  readonly ledgers: () => Ledgers;
  readonly usesDisk: boolean;
  /** True: in the room where it is not. */
  readonly isElsewhere: boolean;
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
  /** Those of each user that the tab has had. */
  readonly #ledgersOf = new Map<string | undefined, Ledgers>();
  /** True while the app has no session on the Store: the last one has ended. */
  isAway = false;
  /** The user of the present session, or of the last one. */
  user: string | undefined;
  /** False while the app uses no storage, though there is one. */
  usesDisk = true;
  /** The room that the session keeps its Store equal to. The socket may lead elsewhere already. */
  place: Place;
  /** The calls of this tab; undefined if the room has no procedures. */
  readonly calls: ClientCalls | undefined;
  /** False from when the tab is closed on. */
  isAlive = true;
  /** Lets the page come back that its browser has put aside: nothing of it runs until then. */
  #comeBack: (() => void) | undefined;
  /** Resolves when it comes back. */
  #back = new Deferred<void>();
  /** The callbacks that were due meanwhile. */
  readonly #late = new Set<() => void>();
  /** True from when it comes back until it may send again: until then, its record may be another page's. */
  #isDoubtful = false;
  /** The number of times that its user had been cleared when it was put aside, before it was doubtful. */
  #clears = 0;
  /** True while the session leaves its edits to another page. */
  #isTaken = false;
  /** What there was before that transaction. */
  #before: LeafMap<Leaf> = new LeafMap();
  /** True while the user has a transaction open. */
  isEditing = false;
  wire: Wire | undefined;
  /** The room that the socket is pointed at. */
  #target: Place;
  /** The room that it was connected to last. */
  #connected: Place;
  /** The room to which it is connected, as its session knows it. */
  #opened: Place | undefined;
  /** Returns true while edits become pushes at once. */
  #isSaving: () => boolean = () => false;
  #moves = 0;
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
  /** Those that have not written all that they have, by user: `clear` ends them. */
  readonly #outboxes = new Map<string | undefined, Set<DurableOutbox>>();
  readonly #devices = new Map<string | undefined, OfflineDevice>();
  /** False once the tab has said that it works without storage. */
  hasStorage = true;
  /** The users for whom the tab has cleared what is kept. */
  readonly cleared: Set<string | undefined> = new Set();
  #isStopped = false;
  /** The rooms that have welcomed this page. */
  readonly #met = new Set<Place>();
  readonly #timers = new Set<() => void>();

  constructor(traits: ClientTraits, surroundings: ClientSurroundings, ledgers: Ledgers) {
    this.name = traits.name;
    this.traits = traits;
    this.#surroundings = surroundings;
    this.user = traits.user;
    this.place = traits.begins ?? surroundings.home;
    this.#target = this.#connected = this.place;
    this.partner = traits.partner;
    this.#noteLedgers(ledgers);
    this.store = traits.partner?.store ?? createStore();
    if (traits.partner === undefined) this.#prepareStore();
    else traits.partner.partner = this;
    this.#watch();
    this.session = this.#createSession();
    this.calls = surroundings.calls && this.#createCalls();
    this.#connect();
  }

  #noteLedgers(ledgers: Ledgers): void {
    const { disk } = this.traits;
    const { home, other } = ledgers;
    this.#ledgersOf.set(this.user, ledgers);
    const known = disk?.ledgers.get(this.user) ?? new Set();
    disk?.ledgers.set(this.user, known.add(home).add(other));
  }

  #prepareStore(): void {
    const { seed, isSeedInStore, variant } = this.traits;
    if (seed !== undefined && isSeedInStore) this.store.setJson(encodeContent(seed));
    variant.prepare(this.store, this.name.replaceAll("'", ''));
  }

  /** The edits of its present user. */
  get ledgers(): Ledgers {
    const ledgers = this.#ledgersOf.get(this.user);
    if (ledgers === undefined) throw new Error('The tab has no ledgers.');
    return ledgers;
  }

  /** The ledgers of all users that the tab has had, for both rooms. */
  get everyLedger(): readonly EditLedger[] {
    return [...this.#ledgersOf.values()].flatMap(({ home, other }) => [home, other]);
  }

  /** The same, for one room. */
  ledgersAt({ address }: Pick<Place, 'address'>): readonly EditLedger[] {
    return this.everyLedger.filter((ledger) => ledger.address === address);
  }

  /** The edits that were made here for the room of the simulation. */
  get ledger(): EditLedger {
    return this.ledgers.home;
  }

  /** The edits that were made here for the room that the client is in. */
  get ledgerHere(): EditLedger {
    return this.ledgerOf(this.place);
  }

  ledgerOf(place: Place): EditLedger {
    return place === this.#surroundings.home ? this.ledgers.home : this.ledgers.other;
  }

  get sync(): Sync {
    return this.session.sync;
  }

  /** True if the client's base is the room's content at its version. */
  get isLive(): boolean {
    return this.isAlive && this.sync.phase === 'live';
  }

  /** True if its socket leads elsewhere, and its session does nothing before it has left its room. */
  get isLeaving(): boolean {
    return this.session.room !== (this.#opened ?? this.#target).address;
  }

  /** The one of both sessions of the Store that the app uses. */
  get current(): SimClient {
    return this.hasEnded ? (this.partner ?? this) : this;
  }

  /** True if it does nothing: it waits for its Store, or has ended. */
  get isIdle(): boolean {
    return this.isAway || this.hasEnded || this.#turn?.isWaiting('follow') === true;
  }

  /** True if it has no storage any more, and a tab before it has left edits there. */
  get hasLeftEdits(): boolean {
    return this.isAlive && !this.hasStorage && this.hasEditsOnDisk;
  }

  /** True if there are edits of its user for this room in its storage, whichever tab has made them. */
  get hasEditsOnDisk(): boolean {
    return (this.traits.disk?.editsOf(this.#scopeOf(this.place, this.user)).length ?? 0) > 0;
  }

  #placeAt(address: string): Place {
    const { home, other } = this.#surroundings;
    return other?.address === address ? other : home;
  }

  #scopeOf({ address }: Place, user: string | undefined): string {
    return scopeOf(user, address, this.#surroundings.prefix);
  }

  /** The name of its record on the disk, if it has one. */
  get recordId(): string | undefined {
    return this.traits.lastClient[this.#scopeOf(this.place, this.user)];
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
    this.ledgerHere.sessionEnded();
    this.session.destroy();
  }

  /** One transaction of the user. */
  edit(choices: Choices): void {
    const { ledgerHere } = this;
    const { transactions } = ledgerHere;
    this.#asUser(() => edit(this.store, choices, this.#surroundings.unique));
    if (ledgerHere.transactions > transactions) this.undo?.checkEdited();
  }

  /** An edit at which the room dies. */
  poison(choices: Choices): void {
    const { unique } = this.#surroundings;
    this.#asUser(() => {
      if (choices.percent(50)) this.store.setValue('v', unique.poison());
      else this.store.setCell('t', choices.pick(['r', 's']), 'a', unique.poison());
    });
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
    this.ledgerHere.sessionEnded();
    this.session.destroy();
    this.undo?.checkEnded();
    this.#begin();
  }

  /** The app destroys its persister, as a component that unmounts. */
  unmount(): void {
    this.isTouched = true;
    // What the storage does not have is handed on as one edit.
    if (!this.hasStorage || !this.usesDisk) this.ledgerHere.sessionEnded();
    this.session.destroy();
    this.undo?.checkEnded();
    this.undo = undefined;
    this.isAway = true;
  }

  /** The app makes a new session of the same Store, perhaps for another user, in the other room, or without storage. */
  mount(how: MountOptions): void {
    this.isTouched = true;
    this.isAway = false;
    this.user = how.user;
    this.usesDisk = how.usesDisk;
    this.#noteLedgers(this.#ledgersOf.get(how.user) ?? how.ledgers());
    this.hasStorage = true;
    const { home, other } = this.#surroundings;
    if (how.isElsewhere && other !== undefined) {
      this.#target = this.#target === home ? other : home;
      this.reconnect();
    }
    this.#begin();
  }

  /** Begins a session on the socket, where that leads. */
  #begin(): void {
    this.place = this.#target;
    this.#opened = undefined;
    this.session = this.#createSession();
    this.#tellOpened();
    if (this.#isStopped) this.reconnect();
    void this.session.follow();
    void this.session.startSaving();
  }

  /** The tab is closed, and with it everything that is not on the client's disk. */
  die(choices: Choices): void {
    const { disk } = this.traits;
    const effects = disk === undefined ? 0 : choices.below(disk.writesInFlight(this) + 1);
    // A tab that is killed does not hear of its end. No choice of its own, for histories that were recorded.
    const isTold = effects % 2 === 0;
    if (isTold) disk?.end(this);
    const last = isTold && this.#keepsLast ? this.unconfirmed : [];
    this.isAlive = false;
    for (const cancel of this.#timers) cancel();
    if (this.wire !== undefined) this.#connected.network.closeByClient(this.wire);
    disk?.crash(this, effects);
    this.#checkLast(last, this.#keptOf(this.place, this.user));
    for (const place of this.#places) {
      // The clock was behind, so another page may have used the same numbers (OFFLINE-9): which, only the room could have told.
      const isDoubtful = disk?.isClockLost === true && !this.#met.has(place);
      for (const [user, { home, other }] of this.#ledgersOf) {
        const kept = isDoubtful ? [] : this.#keptOf(place, user);
        (home.address === place.address ? home : other).tabClosed(kept);
      }
    }
  }

  get #places(): readonly Place[] {
    const { home, other } = this.#surroundings;
    return other === undefined ? [home] : [home, other];
  }

  /** True while the browser keeps the page for its "back" button. */
  get isAside(): boolean {
    return this.#comeBack !== undefined;
  }

  /** The browser keeps the page for its "back" button: its locks are free, its socket is closed, and nothing of it runs. */
  putAside(): void {
    this.isTouched = true;
    const { disk } = this.traits;
    if (!this.#isDoubtful) this.#clears = disk?.clearsOf(this.user) ?? 0;
    this.#back = new Deferred();
    this.#comeBack = disk?.putAside(this);
    if (this.wire !== undefined) this.#connected.network.closeByClient(this.wire);
  }

  /** The user goes back to the page. */
  comeBack(): void {
    const comeBack = this.#comeBack;
    this.isTouched = true;
    this.#comeBack = undefined;
    this.#isDoubtful = true;
    comeBack?.();
    const late = [...this.#late];
    this.#late.clear();
    for (const callback of late) callback();
    this.#back.resolve();
    if (this.wire?.clientState === 'closed') this.closed();
  }

  /** The edits of its user for a room that are on disk. */
  #keptOf(place: Place, user: string | undefined): readonly Changes[] {
    return this.traits.disk?.editsOf(this.#scopeOf(place, user)) ?? [];
  }

  /** True if the end of its page loses no edit: its record is there. */
  get #keepsLast(): boolean {
    const { disk } = this.traits;
    if (disk === undefined || disk.isHasty || !this.hasStorage) return false;
    if (!this.usesDisk || this.isAway || this.#isDoubtful) return false;
    return this.session.sync.phase !== 'idle' && disk.hasRecord(this.recordId);
  }

  /** Last words: what a tab has not confirmed when it is told of its end is on its disk after it (OFFLINE-13). */
  #checkLast(unconfirmed: readonly Changes[], kept: readonly Changes[]): void {
    const texts = new Set(kept.map(describeChanges));
    const lost = unconfirmed
      .filter((changes) => !isEmptyChanges(changes))
      .map(describeChanges)
      .find((text) => !texts.has(text));
    if (lost === undefined) return;
    const message = `${this.name} ends, and ${lost} is not on its disk`;
    this.#surroundings.world.fail(new PropertyFailure('last words', message));
  }

  /** The user clears what is kept, as someone who logs out. */
  clear(): void {
    const { user } = this;
    this.cleared.add(user);
    if (this.usesDisk) this.hasStorage = false;
    for (const outbox of this.#outboxes.get(user) ?? []) outbox.forget();
    this.traits.disk?.clear(this, user);
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
    this.#connected.network.closeByClient(wire);
    this.closed();
  }

  /** The app lets the socket connect to the room that it is pointed at. */
  arrive(): void {
    const isClosed = this.wire === undefined && this.sync.phase !== 'stopped';
    if (isClosed || this.#connected !== this.#target) this.reconnect();
  }

  /** True if the app can point its socket at another room. */
  get canMove(): boolean {
    return this.#surroundings.other !== undefined && this.partner === undefined;
  }

  /** The app points the socket at that room. */
  goTo(place: Place): void {
    if (place === this.#target) return;
    this.isTouched = true;
    this.#target = place;
    this.reconnect();
  }

  /** The app points the socket at the room where it is not, and perhaps lets it connect there at once. */
  moveToOther(isAtOnce: boolean): void {
    const { home, other } = this.#surroundings;
    if (other === undefined) return;
    this.isTouched = true;
    this.#target = this.#target === home ? other : home;
    if (isAtOnce) this.reconnect();
  }

  /** The app makes another session of the same Store, on a socket to the other room. */
  remountElsewhere(): void {
    const { home, other } = this.#surroundings;
    if (other === undefined) return;
    this.ledgerHere.sessionEnded();
    this.session.destroy();
    this.undo?.checkEnded();
    this.#target = this.#target === home ? other : home;
    this.reconnect();
    this.remount();
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
    this.#tellOpened();
    this.calls?.opened();
  }

  #tellOpened(): void {
    if (this.wire?.clientState !== 'open') return;
    // The app has pointed the socket elsewhere on the way.
    if (this.#connected !== this.#target) {
      this.reconnect();
      return;
    }
    this.#opened = this.#connected;
    if (!this.isAway) this.session.opened();
  }

  closed(): void {
    if (!this.isAlive) return;
    this.isTouched = true;
    this.wire = this.#opened = undefined;
    if (!this.isAway) this.session.closed();
    this.calls?.closed();
    if (!this.#isStopped && this.wire === undefined) this.#connect();
  }

  received(frame: string): void {
    this.isTouched = true;
    if (this.#connected !== this.#target) return;
    for (const message of splitFrame(frame)) {
      if (this.isAlive) this.#receivedMessage(message);
    }
  }

  #receivedMessage(frame: string): void {
    for (const received of this.#surroundings.mutant.atClient?.(frame, this) ?? [frame]) {
      try {
        if (!this.isAway) this.session.received(received);
        this.calls?.received(received);
      } catch (error) {
        // As an event handler: whatever it throws, the socket goes on.
        this.#surroundings.world.note(`    ${this.name} threw ${String(error)}`);
      }
    }
  }

  #connect(): void {
    this.#connected = this.#target;
    this.wire = this.#connected.network.connect(this);
  }

  #createSession(): SyncSession {
    const { world, prefix, randomId, mutant } = this.#surroundings;
    const endpoint = this.#endpoint(() => session.room);
    const device = this.#device();
    const ledgers = this.ledgerHere;
    const session = createSyncSession(
      this.store,
      prefix,
      {
        socket: {
          address: () => this.#target.address,
          isOpen: () =>
            this.isAlive && this.wire?.clientState === 'open' && this.#connected === this.#target,
          send: (frame) => {
            const { isAlive, wire } = this;
            if (!isAlive || wire === undefined) return;
            const messages = splitFrame(frame).flatMap((message) => {
              this.#note(wire, message);
              return mutant.fromClient?.(message, wire, this) ?? [message];
            });
            for (const sent of joinFrames(messages)) this.#connected.network.sendToRoom(wire, sent);
          },
          closing: () => ({ ...LOST, code: undefined }),
          reconnect: () => this.reconnect(),
          stop: ({ code }) => this.#stop(ERRORS[code].closeCode, code),
        },
        endpoint: mutant.endpoint?.(endpoint, this) ?? endpoint,
        after: (milliseconds, callback) => this.#after(milliseconds, callback),
        now: () => world.clock.now(),
        soon: (callback) => this.#soon(callback),
        random: this.#surroundings.random,
        firstGeneration: this.#surroundings.randomNumber(),
        randomId,
        ...(device && {
          createOutbox: (owner) => this.#createOutbox(device, owner),
        }),
      },
      {
        onSync: (sync) => {
          if (sync.phase === 'live') this.#met.add(this.place);
          world.note(`    ${this.name} ${sync.phase} ${sync.unsaved} ${sync.code ?? ''}`);
        },
        onRefused: (refusals) => {
          world.note(`    ${this.name} refused ${JSON.stringify(refusals)}`);
          // It may tell of the room that it has left.
          for (const ledger of this.everyLedger) ledger.refused(refusals);
        },
        onError: (error) => {
          world.note(`    ${this.name} error ${String(error)}`);
          const isLost =
            error instanceof TinyBasePartyKitError &&
            error.code === 'offline' &&
            error.message.includes('The persister works without.');
          if (isLost && session !== this.session) ledgers.sessionEnded();
          else if (isLost) this.hasStorage = false;
        },
      },
      { applying: () => undefined, sending: () => undefined },
    );
    this.#turn = new StoreTurn(
      session.replica.claim,
      (milliseconds, callback) => this.#after(milliseconds, callback),
      () => world.note(`    ${this.name} waits for its Store`),
    );
    watchDerivations(session.replica, this.name, (failure) => world.fail(failure));
    this.#isSaving = watchSaving(session.replica);
    watchLoads(session.replica, () => this.ledgerHere);
    const isTaken = (): boolean => this.#isTaken;
    watchMoves(session.replica, isTaken, (pushes) => {
      this.#moves += 1;
      this.#isTaken = false;
      const { variant } = this.traits;
      this.ledgerHere.left(pushes, ({ table, cell, leaf }) => variant.alters(table, cell, leaf));
      this.place = this.#opened ?? this.#target;
      this.undo?.checkEnded();
    });
    if (this.traits.canUndo) this.undo = this.#createUndo(session);
    return session;
  }

  /** The storage as the present user of this page has it; undefined if the app uses none. */
  #device(): OfflineDevice | undefined {
    const { disk, lastClient } = this.traits;
    if (disk === undefined || !this.usesDisk) return undefined;
    const { clock } = this.#surroundings.world;
    const known = this.#devices.get(this.user);
    const device = known ?? disk.deviceOf(this, lastClient, () => clock.now(), this.user);
    this.#devices.set(this.user, device);
    return device;
  }

  #createOutbox(device: OfflineDevice, owner: OutboxOwner): DurableOutbox {
    const outboxes = this.#outboxes.get(device.user) ?? new Set();
    this.#outboxes.set(device.user, outboxes);
    const outbox = new DurableOutbox(device, owner, () => outboxes.delete(outbox));
    const leaveLost = outbox.leaveLost.bind(outbox);
    outbox.leaveLost = () => {
      this.#isTaken = true;
      const { disk } = this.traits;
      // It cannot tell if another page has its edits, or if they were cleared: then they may be with nobody (OFFLINE-14).
      const isCleared = disk?.hasCleared(this.recordId) === true;
      if (disk !== undefined && (isCleared || disk.clearsOf(this.user) > this.#clears))
        for (const ledger of disk.ledgers.get(this.user) ?? [])
          if (ledger.address === this.place.address)
            ledger.gone(this.unconfirmed, this.#keptOf(this.place, this.user));
      return leaveLost();
    };
    outboxes.add(outbox);
    return outbox;
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
    const { world, prefix, mutant } = this.#surroundings;
    return new ClientCalls(
      {
        name: this.name,
        isOpen: () => this.isAlive && this.wire?.clientState === 'open',
        send: (frame) => {
          const { wire } = this;
          if (wire === undefined) return;
          this.session.sendNow();
          for (const sent of mutant.fromClient?.(frame, wire, this) ?? [frame])
            this.#connected.network.sendToRoom(wire, sent);
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
    // It may move to a room that changes something by itself.
    const isPlain = (): boolean =>
      this.traits.variant === plain && this.place.room.traits.variant.name === 'plain';
    const owner = {
      name: this.name,
      now: () => world.clock.now(),
      wasWithdrawn: (...at: Parameters<EditLedger['wasWithdrawn']>) =>
        this.ledgerHere.wasWithdrawn(...at),
      fail: (failure: PropertyFailure) => world.fail(failure),
      get isUsersTurn() {
        return isUsersTurn();
      },
      get isPlain() {
        return isPlain();
      },
    };
    return new WatchedUndo(replica, owner, this.#own);
  }

  /** `room` returns the address of the room that the session is in. */
  #endpoint(room: () => string): SessionEndpoint {
    const endpoint = createHttpEndpoint(
      () => Promise.resolve(this.#placeAt(room()).http.urlOf(this.name)),
      (milliseconds, callback) => this.#after(milliseconds, callback),
      {},
    );
    const touch = async <T>(request: Promise<T>): Promise<T> => {
      try {
        return await request;
      } finally {
        this.isTouched = true;
        if (this.isAside) await this.#back.promise;
      }
    };
    // Who moves and comes back has nothing to give: the Store was used for another room.
    const stay = (): string => `${room()} after ${this.#moves} moves`;
    /** The stay in a room that has refused all of what this client gave there, and had no Store since. */
    let refusing: string | undefined;
    return {
      get: async (unique, onBytes) => {
        const loaded = await touch(endpoint.get(unique, onBytes));
        if (loaded.content !== undefined) refusing = undefined;
        return loaded;
      },
      put: async (content) => {
        // Whoever comes next would find a Store, and give none (SEED-2).
        if (refusing === stay() && content.isEmpty) {
          const message = `${this.name} gives an empty initial content because its own was refused`;
          this.#surroundings.world.fail(new PropertyFailure('initial content', message));
        }
        const given = stay();
        const ledger = this.ledgerOf(this.#placeAt(room()));
        const told = await touch(endpoint.put(content));
        const refused = told?.correction === undefined ? undefined : told;
        refusing = refused?.correction.leaves.count() === content.count() ? given : undefined;
        // A tab that is closed hears nothing.
        if (!this.isAlive) return undefined;
        if (refused !== undefined) ledger.toldOfSeed(content, refused);
        return told;
      },
    };
  }

  /** A socket queues nothing, and hello goes first, but for the answer to a mark (FRAME-3). */
  #note(wire: Wire, frame: string): void {
    const { world, prefix } = this.#surroundings;
    const message = decodeClientMessage(prefix, frame);
    const isFirst = message?.type === 'hello' || message?.type === 'mark';
    if (wire.clientState !== 'open' || (!isFirst && !wire.saidHello)) {
      world.fail(new PropertyFailure('frame', `${this.name} sent too early: ${frame}`));
    }
    if (message?.type === 'hello') {
      wire.saidHello = true;
      this.#isDoubtful = false;
      wire.sentPush = 0;
      this.#clientId = message.clientId;
    } else {
      const push = message?.type === 'part' ? wire.sentParts.take(message) : message;
      if (push?.type !== 'push') return;
      this.ledgerHere.sent(this.#clientId, push);
      this.#checkAuthor(push.changes);
      wire.sentPush = push.number;
    }
  }

  /** Nobody sends the edits of another user of the same browser (OFFLINE-4). A session without offline data knows no users. */
  #checkAuthor(changes: Changes): void {
    const { user } = this;
    if (!this.usesDisk) return;
    for (const [other, ledgers] of this.traits.disk?.ledgers ?? [])
      for (const ledger of other === user ? [] : ledgers) {
        const record = ledger.madeIn(changes).find((made) => !this.ledgerHere.hasMade(made));
        if (record === undefined) continue;
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
    const fire = (): void => {
      if (this.isAside) {
        this.#late.add(fire);
        return;
      }
      this.#timers.delete(cancel);
      this.isTouched = true;
      try {
        callback();
      } catch (error) {
        this.#surroundings.world.note(`    ${this.name} threw ${String(error)}`);
      }
    };
    const cancel = this.#surroundings.world.clock.after(milliseconds, fire);
    this.#timers.add(cancel);
    return () => {
      this.#timers.delete(cancel);
      this.#late.delete(fire);
      cancel();
    };
  }

  #stop(code: number, reason: string): void {
    this.#isStopped = true;
    if (this.wire !== undefined) this.#connected.network.closeByClient(this.wire, code, reason);
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
      // Nobody tracks it (OFFLINE-1).
      if (this.isAway) return;
      const log = readTransactionLog(this.store);
      this.undo?.finished(log, this.#isMove);
      if (!this.#isUsersTurn || !this.isAlive) return;
      if (!log.before.isEmpty) {
        this.#surroundings.world.note(`    ${this.name} did ${encodeChanges(log.changes)}`);
        const { session } = this.current;
        // While it reads what it kept, it holds all edits.
        const isOpening = session.sync.phase === 'idle';
        this.ledgerHere.add(log, !this.#isSaving() || isOpening, this.#isMove);
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
