import type { Store } from 'tinybase';

import { composeChanges, type Changes } from '../protocol/changes.ts';
import {
  decodeContent,
  decodeRoomMessage,
  encodeClientMessage,
  encodeContent,
  encodeLargePush,
  encodePushFrame,
} from '../protocol/codec.ts';
import { ERRORS, TinyBasePartyKitError, type ErrorCode } from '../protocol/errors.ts';
import type { Leaf } from '../protocol/leaf.ts';
import { LeafMap } from '../protocol/leaf-map.ts';
import {
  PROTOCOL_VERSION,
  type Ack,
  type Commit,
  type Cursor,
  type Limits,
  type Pong,
  type RoomMessage,
  type Welcome,
} from '../protocol/messages.ts';
import { utf8Length } from '../protocol/utf8.ts';
import { Backoff } from './backoff.ts';
import { Heartbeat } from './heartbeat.ts';
import { Outbox } from './outbox.ts';
import { refusalsOfCorrection, refusalsOfDropped, type Refusal } from './refusal.ts';
import { Replica, type PendingPush } from './replica.ts';
import type { LoadedContent, SessionPorts } from './session-ports.ts';

/** Where a session stands. */
export type SyncPhase =
  /** Nothing was started. */
  | 'idle'
  /** The content is being fetched. */
  | 'loading'
  /** Waiting for the socket to open. */
  | 'connecting'
  /** The room was told what is here, and has not answered yet. */
  | 'catching-up'
  /** Every change arrives as it happens. */
  | 'live'
  /** The room has no Store yet, and nobody here saves. */
  | 'empty'
  /** The room would answer every further attempt the same way; see `code`. */
  | 'stopped';

/** A session's state, as an app may show it. */
export interface Sync {
  readonly phase: SyncPhase;
  /** How many transactions made here are not confirmed by the room. */
  readonly unsaved: number;
  /** Set while stopped: why. */
  readonly code: ErrorCode | undefined;
}

/** What a session tells its owner. */
export interface SessionEvents {
  readonly onSync: (sync: Sync) => void;
  readonly onRefused: (refusals: readonly Refusal[]) => void;
  /** Something went wrong that the session gets over by itself. */
  readonly onError: (error: unknown) => void;
}

/** Until a welcome tells better. */
const DEFAULT_LIMITS: Limits = { framePushBytes: 256 * 1024, pushBytes: 16 * 1024 * 1024 };
/** How many pushes may wait for their ack before more are sent. */
const MOST_IN_FLIGHT = 512;
/** How long to wait before asking again whether the app's transaction is over. */
const BUSY_MILLISECONDS = 5;
/** How long after a change the base record is written. */
const BASE_MILLISECONDS = 1000;

/** Content that was loaded and is not shown yet (JOIN-6). */
interface Staged {
  readonly cursor: Cursor;
  readonly content: LeafMap<Leaf>;
  /** True if a single load asked for it. */
  readonly isShown: boolean;
}

/** Somebody who waits for the pushes up to a number. */
interface ConfirmWaiter {
  readonly lastPush: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What becomes the first content of a room that has none. If it is a function, it is called when it is needed. */
export type InitialContent = LeafMap<Leaf> | (() => LeafMap<Leaf> | undefined);

type InboxItem = RoomMessage | { readonly type: 'content'; readonly loaded: LoadedContent };

/**
 * One client's conversation with a room: loads, joins, sends, applies, and finds its place again whatever happens.
 * Synchronous at its core: sockets, HTTP, time and randomness come from outside.
 */
export class SyncSession {
  /** The session's view of the Store. */
  readonly replica: Replica;
  readonly #ports: SessionPorts;
  readonly #prefix: () => string;
  readonly #events: SessionEvents;
  readonly #outbox: Outbox;
  readonly #heartbeat: Heartbeat;
  readonly #backoff: Backoff;
  #clientId: string;
  #generation = 0;
  #phase: SyncPhase = 'idle';
  #code: ErrorCode | undefined;
  #isFollowing = false;
  #isSaving = false;
  /** A single load or save was asked for, without following or saving from then on. */
  #isLoadingOnce = false;
  #isSavingOnce = false;
  #isDestroyed = false;
  #initialContent: InitialContent | undefined;
  #cursor: Cursor | undefined;
  #staged: Staged | undefined;
  #isEmptyKnown = false;
  /** True once the Store has shown a room's content: it is a seed no more (SEED-3). */
  #wasRooted = false;
  #seedsPut = 0;
  #loadNumber = 0;
  #loadWaiters: (() => void)[] = [];
  #confirmWaiters: ConfirmWaiter[] = [];
  #inbox: InboxItem[] = [];
  #isDraining = false;
  #cancelDrain: (() => void) | undefined;
  #cancelBase: (() => void) | undefined;
  #cancelRetry: (() => void) | undefined;
  #limits = DEFAULT_LIMITS;
  #isHelloSent = false;
  /** The highest push number sent since the last hello. */
  #sentPush = 0;
  /** The highest push number that any hello's conversation has sent: the room may hold it. */
  #everSentPush = 0;
  /** The push that travels over HTTP, which later ones wait for (ONCE-6). */
  #postedPush: number | undefined;
  #folded = 0;
  #loads = 0;
  #saves = 0;
  #sync: Sync = { phase: 'idle', unsaved: 0, code: undefined };

  constructor(store: Store, prefix: () => string, ports: SessionPorts, events: SessionEvents) {
    this.#ports = ports;
    this.#prefix = prefix;
    this.#events = events;
    this.replica = new Replica(store, {
      onPending: () => this.#onPending(),
      onRefused: (refusals) => events.onRefused(refusals),
      onError: (error) => events.onError(error),
    });
    this.#outbox = new Outbox(ports.storage, {
      onDurable: () => this.#onDurable(),
      onError: (error) => this.#storageFailed(error),
    });
    this.#heartbeat = new Heartbeat(ports.after, {
      ping: (isCheck) =>
        this.#send(encodeClientMessage(this.#prefix(), { type: isCheck ? 'check' : 'ping' })),
      dead: () => ports.socket.reconnect(),
    });
    this.#backoff = new Backoff(ports.after, ports.random);
    this.#clientId = ports.restored?.outbox?.clientId ?? ports.randomId();
    if (ports.restored !== undefined) this.#restore(ports.restored);
  }

  /** The state as of now. */
  get sync(): Sync {
    return this.#sync;
  }

  /** How often remote content or changes were applied, and how often something was sent. */
  get stats(): { loads: number; saves: number } {
    return { loads: this.#loads, saves: this.#saves };
  }

  /** What the base is a version of; undefined while nothing of the room is held. */
  get cursor(): Cursor | undefined {
    return this.#cursor;
  }

  get isFollowing(): boolean {
    return this.#isFollowing;
  }

  get isSaving(): boolean {
    return this.#isSaving;
  }

  /** Shows the room's content and everything that happens to it. Settles after the first attempt to load. */
  follow(initialContent?: InitialContent): Promise<void> {
    // What the Store shows was not kept equal to the room's content, so it is not that of any version.
    if (!this.#isFollowing) this.#cursor = undefined;
    this.#isFollowing = !this.#isDestroyed;
    return this.#startLoading(initialContent);
  }

  /** Shows no more remote changes. */
  stopFollowing(): void {
    this.#isFollowing = false;
    this.replica.setFollowing(false);
    this.#advance();
  }

  /** Sends edits from now on, and those held. Settles when the room is known to have a Store, or not to answer. */
  startSaving(): Promise<void> {
    if (this.#isDestroyed) return Promise.resolve();
    this.replica.startTracking();
    this.#isSaving = true;
    this.replica.setSaving(true);
    return this.#seedIfEmpty();
  }

  /** Holds edits from now on. What is pending is still sent. */
  stopSaving(): void {
    this.#isSaving = false;
    this.replica.setSaving(false);
    this.#advance();
  }

  /** Shows the room's content once. */
  load(initialContent?: InitialContent): Promise<void> {
    this.#isLoadingOnce = true;
    return this.#startLoading(initialContent);
  }

  /** Sends what is held once, and makes the Store the room's first content if it has none. */
  save(): Promise<void> {
    if (this.#isDestroyed) return Promise.resolve();
    this.replica.startTracking();
    this.#isSavingOnce = true;
    this.replica.releaseHeld();
    return this.#seedIfEmpty();
  }

  /** Settles when all edits made so far are confirmed; rejects if they cannot be any more. */
  whenConfirmed(): Promise<void> {
    if (this.#code !== undefined) return Promise.reject(stoppedError(this.#code));
    if (this.#unsaved() === 0) return Promise.resolve();
    // What is held will be one push, the next.
    const lastPush = this.replica.lastNumber + (this.replica.hasHeld ? 1 : 0);
    return new Promise((resolve, reject) =>
      this.#confirmWaiters.push({ lastPush, resolve, reject }),
    );
  }

  /** Shows the room's leaves in place of local-only ones (LOCAL-2). */
  discardLocal(): void {
    if (!this.replica.discardLocal())
      this.#ports.after(BUSY_MILLISECONDS, () => this.discardLocal());
  }

  /** The socket is open. */
  opened(): void {
    this.closed();
    this.#backoff.reset();
    this.#advance();
  }

  /** The socket is not open any more. */
  closed(): void {
    this.#heartbeat.stop();
    this.#inbox = this.#inbox.filter((item) => item.type === 'content');
    this.#postedPush = undefined;
    if (this.#phase === 'catching-up' || this.#phase === 'live' || this.#phase === 'empty') {
      this.#setPhase('connecting');
    }
  }

  /** A frame arrived; those that are not ours are ignored. */
  received(data: unknown): void {
    if (!this.#isEngaged() || this.#phase === 'stopped') return;
    const message = this.#decode(data);
    if (message === undefined) return;
    this.#heartbeat.heard(message.type !== 'pong' && message.type !== 'alive');
    this.#inbox.push(message);
    this.#drain();
  }

  /** The socket leads to another room now: nothing of the old one goes there. */
  moveToAnotherRoom(): void {
    const message =
      'The socket leads to another room now; edits that the old one had not confirmed were reported and not sent.';
    this.#endConfirmations(new TinyBasePartyKitError('replaced', message));
    this.replica.abandon('another-room');
    this.#outbox.clear();
    this.#clientId = this.#ports.randomId();
    this.#generation = this.#folded = this.#everSentPush = 0;
    this.#cursor = this.#staged = undefined;
    this.#isEmptyKnown = false;
    this.#seedsPut = 0;
    this.#loadNumber++;
    this.#inbox = [];
    if (this.#phase === 'stopped') this.#code = undefined;
    this.#setPhase('idle');
    this.#advance();
  }

  /** Ends the session; edits that are not confirmed are reported. */
  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#isFollowing = this.#isSaving = false;
    this.#cancelDrain?.();
    this.#cancelBase?.();
    this.#cancelRetry?.();
    this.#heartbeat.stop();
    this.#backoff.stop();
    this.#loadNumber++;
    const message =
      'The persister was destroyed; edits that the room had not confirmed were reported and not sent again.';
    this.#endConfirmations(new TinyBasePartyKitError('replaced', message));
    this.replica.stop();
    this.replica.abandon('destroyed');
    this.#setPhase('idle');
    this.#settleLoads();
  }

  #restore({ outbox, base }: NonNullable<SessionPorts['restored']>): void {
    this.replica.startTracking();
    this.#folded = base?.folded ?? 0;
    if (base !== undefined) {
      this.replica.setFollowing(true);
      this.replica.catchUp(decodeContent(base.content) ?? new LeafMap(), 0, undefined);
      this.#cursor = base.cursor;
      this.#wasRooted = true;
    }
    if (outbox === undefined) return;
    this.#generation = outbox.generation;
    this.#everSentPush = outbox.lastNumber;
    this.replica.restore(this.#outbox.restore(outbox, this.#folded), outbox.lastNumber);
  }

  #isEngaged(): boolean {
    return (
      !this.#isDestroyed &&
      (this.#isFollowing ||
        this.#isSaving ||
        this.#isLoadingOnce ||
        this.#isSavingOnce ||
        this.replica.pending.length > 0)
    );
  }

  #startLoading(initialContent: InitialContent | undefined): Promise<void> {
    this.replica.startTracking();
    this.#initialContent = initialContent;
    const loaded = this.#whenLoaded();
    this.#load();
    return loaded;
  }

  #whenLoaded(): Promise<void> {
    return new Promise((resolve) => this.#loadWaiters.push(resolve));
  }

  #seedIfEmpty(): Promise<void> {
    if (this.#phase === 'stopped' || this.#isDestroyed) return Promise.resolve();
    if (this.#cursor !== undefined || this.#staged !== undefined) {
      this.#isSavingOnce = false;
      this.#advance();
      return Promise.resolve();
    }
    const loaded = this.#whenLoaded();
    if (this.#phase !== 'loading') this.#load();
    return loaded;
  }

  /** Does what is to be done next, wherever the session stands. */
  #advance(): void {
    if (this.#isDestroyed || this.#phase === 'stopped' || this.#phase === 'loading') return;
    if (!this.#isEngaged()) this.#setPhase('idle');
    else if (this.#cursor === undefined && this.#staged === undefined && !this.#isEmptyKnown)
      this.#load();
    else if (!this.#ports.socket.isOpen()) this.#setPhase('connecting');
    else if (this.#phase === 'live' || this.#phase === 'empty') this.#flush();
    else if (this.#phase !== 'catching-up') this.#join();
  }

  #load(): void {
    if (this.#isDestroyed || this.#phase === 'stopped') {
      this.#settleLoads();
      return;
    }
    const number = ++this.#loadNumber;
    this.#isEmptyKnown = false;
    this.#staged = undefined;
    this.#inbox = [];
    this.#backoff.stop();
    this.#setPhase('loading');
    this.#ports.endpoint.get().then(
      (loaded) => {
        if (number !== this.#loadNumber || this.#isDestroyed) return;
        this.#inbox = [{ type: 'content', loaded }];
        this.#drain();
      },
      (error: unknown) => {
        if (number === this.#loadNumber) this.#loadFailed(error);
      },
    );
  }

  #loadFailed(error: unknown): void {
    this.#events.onError(error);
    if (this.#isDestroyed) return;
    this.#showSeed();
    this.#isLoadingOnce = this.#isSavingOnce = false;
    this.#settleLoads();
    if (error instanceof TinyBasePartyKitError && !error.isRetryable) this.#stop(error.code);
    else if (this.#isEngaged()) this.#backoff.retry(() => this.#load());
    else this.#setPhase('idle');
  }

  /** Content came. False: busy. */
  #loaded({ cursor, content }: LoadedContent): boolean {
    if (cursor === undefined) {
      this.#loadFailed(
        new TinyBasePartyKitError('network', 'The answer has no ETag of a tinybase-partykit room.'),
      );
      return true;
    }
    if (content === undefined) return this.#loadedEmpty();
    const mayHoldOurs = this.replica.pending.some((push) => push.number <= this.#everSentPush);
    if (mayHoldOurs) this.#staged = { cursor, content, isShown: this.#isLoadingOnce };
    else {
      this.replica.setFollowing(this.#isFollowing || this.#isLoadingOnce);
      const isDone = this.replica.catchUp(content, 0, undefined);
      this.replica.setFollowing(this.#isFollowing);
      if (!isDone) return false;
      this.#cursor = cursor;
    }
    this.#wasRooted = true;
    this.#seedsPut = 0;
    this.#loads++;
    this.#endLoading();
    return true;
  }

  #loadedEmpty(): boolean {
    this.#cursor = undefined;
    if (!this.#showSeed()) return false;
    if (!(this.#isSaving || this.#isSavingOnce) || this.#seedsPut > 1) {
      this.#isEmptyKnown = true;
      this.#endLoading();
      return true;
    }
    const isSecond = this.#seedsPut === 1;
    const seed = this.#wasRooted || isSecond ? new LeafMap<Leaf>() : this.replica.readBase();
    if (seed === undefined) return false;
    this.#saves++;
    const number = ++this.#loadNumber;
    const reload = (): void => {
      if (number !== this.#loadNumber) return;
      this.#load();
    };
    this.#ports.endpoint.put(seed).then(
      () => {
        this.#seedsPut++;
        reload();
      },
      (error: unknown) => {
        if (number !== this.#loadNumber) return;
        this.#events.onError(error);
        // The seed stays as it is in the Store; without it there is no room to talk to.
        if (error instanceof TinyBasePartyKitError && !error.isRetryable) this.#stop(error.code);
        else this.#backoff.retry(reload);
        this.#settleLoads();
      },
    );
    return true;
  }

  /** False: busy. */
  #showSeed(): boolean {
    const content = this.#wasRooted ? undefined : this.#initialContent;
    if (content === undefined) return true;
    const leaves = (this.#initialContent = typeof content === 'function' ? content() : content);
    if (leaves === undefined) return true;
    this.replica.setFollowing(true);
    const isDone = this.replica.catchUp(leaves, 0, undefined);
    this.replica.setFollowing(this.#isFollowing);
    if (isDone) this.#initialContent = undefined;
    return isDone;
  }

  #endLoading(): void {
    this.#isLoadingOnce = this.#isSavingOnce = false;
    this.#initialContent = undefined;
    this.#setPhase('connecting');
    this.#settleLoads();
    this.#advance();
  }

  #join(): void {
    this.#backoff.stop();
    this.#inbox = [];
    this.#postedPush = undefined;
    this.#generation++;
    this.#isHelloSent = false;
    this.#setPhase('catching-up');
    this.#saveOutbox();
    this.#sendHello();
  }

  #sendHello(): void {
    if (this.#phase !== 'catching-up' || this.#isHelloSent) return;
    if (!this.#outbox.isGenerationDurable(this.#generation)) return;
    this.#isHelloSent = true;
    this.#sentPush = this.replica.nextPush - 1;
    this.#send(
      encodeClientMessage(this.#prefix(), {
        type: 'hello',
        protocol: PROTOCOL_VERSION,
        clientId: this.#clientId,
        generation: this.#generation,
        cursor: this.#staged?.cursor ?? this.#cursor,
        nextPush: this.replica.nextPush,
        ackedPush: this.#outbox.confirmed,
      }),
    );
    this.#heartbeat.start();
  }

  #rejoin(): void {
    // The content is on its way, and the next hello will be about that.
    if (this.#phase === 'loading') return;
    this.#inbox = [];
    this.#setPhase('connecting');
    this.#backoff.retry(() => this.#advance());
  }

  #decode(data: unknown): RoomMessage | undefined {
    try {
      return decodeRoomMessage(this.#prefix(), data);
    } catch {
      // With an empty prefix this may be the app's own; if it was ours, the next commit or pong shows the gap.
      return undefined;
    }
  }

  /** Deals with what has arrived, in order, as far as the Store is free (VIEW-6). */
  #drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    this.#cancelDrain?.();
    this.#cancelDrain = undefined;
    for (let item = this.#inbox.shift(); item !== undefined; item = this.#inbox.shift()) {
      if (this.#handle(item)) continue;
      this.#inbox.unshift(item);
      this.#cancelDrain = this.#ports.after(BUSY_MILLISECONDS, () => this.#drain());
      break;
    }
    this.#isDraining = false;
    this.#report();
  }

  /** False: the Store is busy, and nothing was done. */
  #handle(item: InboxItem): boolean {
    switch (item.type) {
      case 'content':
        return this.#loaded(item.loaded);
      case 'welcome':
        return this.#welcomed(item);
      case 'commit':
        return this.#phase !== 'live' || this.#committed(item);
      case 'ack':
        return this.#phase !== 'live' || this.#acked(item);
      case 'pong':
        this.#compare(item);
        return true;
      case 'alive':
        this.#heartbeat.alive();
        return true;
      case 'error':
        this.#failed(item.code, item.message);
        return true;
      case 'stock':
        return true;
    }
  }

  #welcomed({ generation, cursor, lastPush, limits, changes }: Welcome): boolean {
    if (generation !== this.#generation) return true;
    if (this.#phase !== 'catching-up' && this.#phase !== 'live' && this.#phase !== 'empty')
      return true;
    if (changes === undefined) {
      if (cursor.version === 0 && this.#isEmptyKnown) this.#setPhase('empty');
      else {
        this.#cursor = undefined;
        this.#load();
      }
      return true;
    }
    if (this.#phase !== 'catching-up') return true;
    const answered = this.replica.pending.filter((push) => push.number <= lastPush);
    this.replica.setFollowing(this.#isFollowing || (this.#staged?.isShown ?? false));
    const isDone = this.replica.catchUp(this.#staged?.content, lastPush, changes);
    this.replica.setFollowing(this.#isFollowing);
    if (!isDone) return false;
    if (this.#staged === undefined && answered.length > 0) {
      const sent = composeChanges(answered.map((push) => push.changes));
      const refusals = refusalsOfDropped(sent, changes, this.replica);
      if (refusals.length > 0) this.#events.onRefused(refusals);
    }
    this.#limits = limits;
    this.replica.limitPushes(limits.pushBytes);
    this.#staged = undefined;
    this.#cursor = cursor;
    this.#sentPush = this.replica.nextPush - 1;
    this.#setPhase('live');
    this.#answered(answered);
    this.#flush();
    return true;
  }

  #committed({ version, changes }: Commit): boolean {
    const cursor = this.#cursor;
    if (cursor === undefined || version !== cursor.version + 1) {
      this.#rejoin();
      return true;
    }
    if (!this.replica.commit(changes)) return false;
    this.#loads++;
    this.#cursor = { epoch: cursor.epoch, version };
    this.#backoff.reset();
    this.#saveBaseLater();
    return true;
  }

  #acked({ number, version, isCommit, correction, reason }: Ack): boolean {
    const cursor = this.#cursor;
    const push = this.replica.pending[0];
    const isExpected =
      cursor !== undefined &&
      push?.number === number &&
      version === cursor.version + (isCommit ? 1 : 0);
    if (!isExpected) {
      this.#rejoin();
      return true;
    }
    if (!this.#fold(correction)) return false;
    this.#cursor = { epoch: cursor.epoch, version };
    this.#backoff.reset();
    if (this.#postedPush === number) this.#postedPush = undefined;
    if (correction !== undefined) {
      const refusals = refusalsOfCorrection(push.changes, correction, reason ?? 'unknown');
      if (refusals.length > 0) this.#events.onRefused(refusals);
    }
    this.#answered([push]);
    this.#advance();
    return true;
  }

  #fold(correction: Changes | undefined): boolean {
    if (correction !== undefined) return this.replica.acknowledgeCorrected(correction);
    this.replica.acknowledge();
    return true;
  }

  /** ORDER-7: whatever was lost on the way shows here. */
  #compare({ version, lastPush }: Pong): void {
    const sentBefore = this.#heartbeat.answered();
    if (sentBefore === undefined || this.#phase === 'empty') return;
    const isLost =
      this.#phase !== 'live' ||
      version !== this.#cursor?.version ||
      this.replica.nextPush <= lastPush ||
      lastPush < sentBefore;
    if (isLost) this.#rejoin();
  }

  #failed(code: ErrorCode, message: string): void {
    this.#events.onError(new TinyBasePartyKitError(code, message));
    switch (code) {
      case 'stale':
      case 'unavailable':
      case 'not-found':
      case 'network':
        this.#rejoin();
        return;
      case 'malformed':
      case 'too-large':
        // About one message, which may be the app's own; a push that was meant stays pending and is compared by pong.
        return;
      case 'protocol':
      case 'replaced':
        this.#stop(code);
    }
  }

  #stop(code: ErrorCode): void {
    this.#code = code;
    this.#inbox = [];
    this.#heartbeat.stop();
    this.#setPhase('stopped');
    this.#settleLoads();
    this.#endConfirmations(stoppedError(code));
    this.#ports.socket.stop(ERRORS[code].closeCode, code);
  }

  #onPending(): void {
    this.#saveOutbox();
    if (this.#phase === 'live') this.#flush();
    else if (this.#phase === 'idle') this.#advance();
    this.#report();
  }

  #onDurable(): void {
    this.#sendHello();
    this.#flush();
  }

  /** Sends what is pending and was not sent yet, oldest first (ONCE-1). */
  #flush(): void {
    if (this.#phase !== 'live' || !this.#ports.socket.isOpen()) return;
    const { pending } = this.replica;
    const first = this.replica.nextPush;
    while (this.#postedPush === undefined && this.#sentPush - first + 1 < MOST_IN_FLIGHT) {
      const push = pending[this.#sentPush + 1 - first];
      if (push === undefined || !this.#outbox.isPushDurable(push.number)) return;
      this.#saves++;
      this.#sentPush = push.number;
      this.#everSentPush = Math.max(this.#everSentPush, push.number);
      if (utf8Length(push.encoded, this.#limits.framePushBytes) > this.#limits.framePushBytes)
        this.#post(push);
      else {
        this.#send(
          encodePushFrame(this.#prefix(), push.number, push.encoded, this.#outbox.confirmed),
        );
        this.#heartbeat.sent(push.number);
      }
    }
  }

  #post(push: PendingPush): void {
    const { number, changes } = push;
    const generation = this.#generation;
    this.#postedPush = number;
    const isCurrent = (): boolean => this.#generation === generation && this.#postedPush === number;
    const ackedPush = this.#outbox.confirmed;
    const body = encodeLargePush({
      clientId: this.#clientId,
      generation,
      push: { type: 'push', number, changes, ackedPush },
    });
    this.#ports.endpoint.post(body).catch((error: unknown) => {
      this.#events.onError(error);
      if (!isCurrent()) return;
      if (error instanceof TinyBasePartyKitError && error.code === 'too-large') {
        this.#postedPush = undefined;
        this.#sentPush = number - 1;
        this.replica.withdraw(number, 'too-large');
        this.#saveOutbox();
        this.#flush();
      } else this.#rejoin();
    });
  }

  #send(frame: string): void {
    if (this.#ports.socket.isOpen()) this.#ports.socket.send(frame);
  }

  #answered(pushes: readonly PendingPush[]): void {
    const last = pushes.at(-1);
    if (last !== undefined) this.#folded = Math.max(this.#folded, last.number);
    this.#outbox.answered(pushes);
    this.#saveBaseLater();
  }

  #saveOutbox(): void {
    this.#outbox.save(() => ({
      clientId: this.#clientId,
      generation: this.#generation,
      lastNumber: this.replica.lastNumber,
      pending: this.replica.pending,
    }));
  }

  /** Nothing is sent that is not durable, so what failed is written again until it is. */
  #storageFailed(error: unknown): void {
    this.#events.onError(error);
    if (this.#isDestroyed) return;
    this.#cancelRetry?.();
    this.#cancelRetry = this.#ports.after(BASE_MILLISECONDS, () => {
      this.#saveOutbox();
      this.#saveBaseLater();
    });
  }

  #saveBaseLater(): void {
    if (this.#ports.storage === undefined || this.#cancelBase !== undefined) return;
    this.#cancelBase = this.#ports.after(BASE_MILLISECONDS, () => {
      this.#cancelBase = undefined;
      this.#saveBase();
    });
  }

  #saveBase(): void {
    const cursor = this.#cursor;
    // While content is being loaded, the Store may show what the cursor left behind long ago.
    if (cursor === undefined || !this.#isFollowing || this.#phase !== 'live') return;
    const content = this.replica.readBase();
    if (content === undefined) this.#saveBaseLater();
    else {
      void this.#outbox
        .saveBase({ cursor, content: encodeContent(content), folded: this.#folded })
        .then(() => this.#saveOutbox());
    }
  }

  #settleLoads(): void {
    for (const resolve of this.#loadWaiters.splice(0)) resolve();
  }

  #settleConfirmations(): void {
    const { nextPush } = this.replica;
    const isSaved = this.#unsaved() === 0;
    const waiters = this.#confirmWaiters;
    this.#confirmWaiters = waiters.filter(({ lastPush }) => !isSaved && lastPush >= nextPush);
    for (const waiter of waiters) {
      if (!this.#confirmWaiters.includes(waiter)) waiter.resolve();
    }
  }

  #endConfirmations(error: TinyBasePartyKitError): void {
    for (const { reject } of this.#confirmWaiters.splice(0)) reject(error);
  }

  #unsaved(): number {
    return this.replica.pending.length + (this.replica.hasHeld ? 1 : 0);
  }

  #setPhase(phase: SyncPhase): void {
    this.#phase = phase;
    if (phase !== 'live' && phase !== 'catching-up' && phase !== 'empty') this.#heartbeat.stop();
    this.#report();
  }

  #report(): void {
    const unsaved = this.#unsaved();
    this.#settleConfirmations();
    const { phase, code } = this.#sync;
    if (phase === this.#phase && code === this.#code && this.#sync.unsaved === unsaved) return;
    this.#sync = { phase: this.#phase, unsaved, code: this.#code };
    this.#events.onSync(this.#sync);
  }
}

function stoppedError(code: ErrorCode): TinyBasePartyKitError {
  return new TinyBasePartyKitError(
    code,
    `The room ended the connection (${code}); what is unsaved cannot be sent.`,
  );
}
