import type { Store } from 'tinybase';

import { decodeClientMessage, decodePushNumber } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { splitFrame, weightOf } from '../../protocol/frame.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { ClientMessage, Cursor } from '../../protocol/messages.ts';
import { letter as pushLetter } from '../../protocol/messages/push.ts';
import { letter as partLetter } from '../../protocol/messages/push-part.ts';
import type { RoomDocument } from '../../protocol/room-handle.ts';

import { RoomPersistence } from '../history/room-persistence.ts';
import type { RoomState, SeedOutcome } from '../history/room-state.ts';
import { DeepLeaves } from '../writes/deep-leaves.ts';
import { StoreWriter } from '../writes/store-writer.ts';
import { ContentAnswers } from './content-answers.ts';
import { ContentCache } from './content-cache.ts';
import { ErrorReporter } from './error-reporter.ts';
import { FeatureAccess } from './feature-access.ts';
import { InitialContentQueue } from './initial-content-queue.ts';
import type { MaybePromise } from './maybe-promise.ts';
import { EXPIRED, Outgoing } from './outgoing.ts';
import { Places } from './places.ts';
import type { PeerState } from './peer-state.ts';
import type { Peer, ReceivedFrame } from './peer.ts';
import { Peers } from './peers.ts';
import { costOfEach } from './rate-limiter.ts';
import { RepresentedCallers } from './represented-callers.ts';
import { RoomAdministration } from './room-administration.ts';
import { makeRoomDocument, makeSalvagedDocument, readRoomDocument } from './room-document.ts';
import type { FeatureRoom, RoomFeature, RoomGate } from './room-feature.ts';
import { RoomFeatures, type FeatureFrame } from './room-features.ts';
import type { RoomConnection, RoomHost } from './room-host.ts';
import type { RoomLimits, RoomOptions } from './room-options.ts';
import type { RoomParts } from './room-parts.ts';
import { RoomSettings } from './room-settings.ts';
import { RoomStore } from './room-store.ts';
import { SerialQueue } from './serial-queue.ts';
import { Turns } from './turns.ts';
import { WaitingBodies } from './waiting-bodies.ts';

const APP_HINT =
  " If it is a message of the app's own, set messagePrefix in the room and in its clients.";
const UNLOADED = 'The room could not be loaded: try again later.';

/** Holding a message takes so many characters in addition to its length. */
const HOLDING_LENGTH = 512;

/** The part of `heldLength` that may wait for turns: others need some of it, too. */
const PART_OF_TURNS = 1 / 4;

/** The messages of a frame, and the number of messages that it counts as. */
interface SplitFrame {
  readonly messages: readonly unknown[];
  readonly count: number;
}

const NO_MESSAGES: SplitFrame = { messages: [], count: 0 };

/** The whole content at a cursor. */
export interface RoomContent {
  readonly cursor: Cursor;
  /** `[tables, values]` as TinyBase writes it; undefined if the room has no Store yet. */
  readonly json: string | undefined;
}

/**
 * A room: owns a TinyBase Store, puts every change to it in one order, makes it durable and tells everybody. It knows no
 * host: connections, storage and time come from outside. docs/protocol.md has the rules.
 *
 * Hooks get an `Origin` as the connection and a `RequestOrigin` as the request.
 */
export class Room<Origin, RequestOrigin = Origin> {
  /** The bodies of requests that the room holds. */
  readonly bodies: WaitingBodies;
  /** The bodies of requests that the gate refused. They keep out no others. */
  readonly refusedBodies: WaitingBodies;
  /** The answers with content that are being sent. */
  readonly answers: ContentAnswers;
  /** The connections and sizes of the room. */
  readonly administration: RoomAdministration<Origin, RequestOrigin>;
  readonly #parts: RoomParts<Origin, RequestOrigin>;
  readonly #persistence: RoomPersistence<Origin, RequestOrigin>;
  readonly #featureAccess: FeatureAccess<Origin, RequestOrigin>;
  readonly #places: Places<Origin>;
  readonly #turns: Turns;
  readonly #initialContentQueue: InitialContentQueue;

  constructor(host: RoomHost<Origin>, options: RoomOptions<Origin, RequestOrigin> = {}) {
    const observed = new RoomStore((log) => this.#persistence.commitOwn(log));
    const reporter = new ErrorReporter(options);
    const settings = new RoomSettings(options, reporter);
    const features = new RoomFeatures<Origin, RequestOrigin>(settings, reporter);
    const peers = new Peers(host, features);
    const writer = new StoreWriter(observed, settings, reporter, features, host);
    this.#parts = {
      host,
      settings,
      observed,
      reporter,
      queue: new SerialQueue(),
      peers,
      outgoing: new Outgoing(host, peers, settings),
      features,
      writer,
      deepLeaves: new DeepLeaves(observed, writer, reporter),
      contentCache: new ContentCache(host),
      represented: new RepresentedCallers(),
    };
    this.#persistence = new RoomPersistence(this.#parts);
    this.administration = new RoomAdministration(this.#parts, this.#persistence);
    this.#featureAccess = new FeatureAccess(this.#parts, this.#persistence, this.administration);
    this.#places = new Places(peers);
    this.#turns = new Turns(host);
    this.#initialContentQueue = new InitialContentQueue(this, (error) =>
      reporter.report(error, 'listener'),
    );
    this.bodies = new WaitingBodies(host);
    this.refusedBodies = new WaitingBodies(host);
    this.answers = new ContentAnswers(host);
  }

  /**
   * The room's Store: the source of truth. Each transaction of the room's own code becomes a commit, or, in a room that has
   * no Store yet, its initial content. Wait for {@link Room.start} before reading it.
   */
  get store(): Store {
    return this.#parts.observed.store;
  }

  /** The limits of what the room takes. */
  get limits(): RoomLimits {
    return this.#parts.settings.limits;
  }

  /** True if the Store has the stored content. */
  get isLoaded(): boolean {
    return this.#persistence.current !== undefined;
  }

  /** True if the room is loaded and has had its initial content. */
  get hasStore(): boolean {
    return this.#persistence.current?.hasStore === true;
  }

  /**
   * Resolves when the Store has the stored content. May be called often. Rejects with `unavailable` if that fails, and
   * tries again at the next call.
   */
  async start(): Promise<void> {
    await this.#loaded();
  }

  /** Runs an action at once if the room has a Store, otherwise as soon as it has one (`SEED-7`). */
  afterInitialContent(action: () => void): void {
    this.#initialContentQueue.run(action);
  }

  /**
   * Resolves when everything that happened to the Store is durable. Rejects with `unavailable` if that was lost: then it was
   * reported, and nobody but the room's own code has seen it.
   */
  async whenDurable(): Promise<void> {
    // A change to the Store before it is loaded becomes a commit when it is.
    if (!this.#persistence.hasLoaded) await this.#loaded();
    await assertStored(this.#persistence.current?.durability.whenDurable());
  }

  /** Handles a frame of a connection, and ignores frames that are not ours. Resolves when that is done; never rejects. */
  async receive(connection: RoomConnection<Origin>, data: unknown): Promise<void> {
    const { peers, host, settings, features } = this.#parts;
    const peer = peers.of(connection);
    if (peer.hasLeft) return;
    peer.restoreAttachment();
    const text = typeof data === 'string' ? data : '';
    const length = lengthOf(data);
    if (peer.state.type === 'stock') peer.unread.clear();
    const now = host.now();
    const isAsked = peer.unread.isAnswer(text);
    const isFlood = !isAsked && this.#isFlood(peer, length, now);
    const { messages, count } = isFlood ? NO_MESSAGES : this.#split(data);
    const weigh = (): number => weightOf(text, this.#isPart(text));
    const waiting = isFlood
      ? undefined
      : peer.hold(length, weigh, count, now, settings.limits, isAsked);
    if (waiting === undefined || !this.#parts.outgoing.makePlace(peer, 0)) {
      waiting?.onLost();
      this.#refuseFlood(peer);
      return;
    }
    if (features.gate !== undefined && !(await this.#passes(peer))) {
      waiting.onLost();
      return;
    }
    if (!this.#findsPlace(peer)) {
      waiting.onLost();
      return;
    }
    const frame = features.frameOf(data);
    if (features.needsHeardTimes) peer.hear(host.now());
    const isOrdered = frame === undefined || frame.feature.isOrdered === true;
    const deal = (message: unknown): MaybePromise<void> => {
      if (frame === undefined) return this.#enqueue(() => this.#takeFrame(peer, message));
      if (isOrdered) return this.#enqueue(() => this.#takeFeatureFrame(peer, frame));
      if (!peer.isGone) features.receive(connection.origin, frame, !peer.hasLostPush);
      return undefined;
    };
    const begin = (): boolean => this.#begins(peer, waiting);
    const cost = costOfEach(waiting.weight, count);
    const isBusy = peer.isBusy(now, settings.limits);
    // What the room has asked for waits for nothing.
    const dealt = isAsked
      ? deal(data)
      : this.#turns.take(peer.line, isBusy, { messages, length, cost, begin, deal });
    if (dealt !== undefined) await dealt;
    if (!isOrdered) {
      waiting.onReleased();
      return;
    }
    const state = this.#persistence.current;
    if (state === undefined) waiting.onLost();
    else state.durability.hold(waiting);
  }

  /**
   * Holds a message that comes while the room is not ready, so that whoever sends much then does not fill its memory (`LIMIT-5`).
   * Returns what ends that; undefined if nothing of the message counts: its connection has left, or the room holds too much.
   */
  hold(connection: RoomConnection<Origin>, data: unknown): (() => void) | undefined {
    const peer = this.#parts.peers.of(connection);
    if (peer.hasLeft) return undefined;
    const length = lengthOf(data) + HOLDING_LENGTH;
    if (!this.#parts.outgoing.makePlace(peer, length)) {
      this.#refuseFlood(peer);
      return undefined;
    }
    // Its host has the message as long as the room does, also if the connection is closed.
    peer.held.addFixed(length);
    return () => peer.held.addFixed(-length);
  }

  /**
   * Returns the messages of a frame: several, if it begins with a push. Then it has pushes alone (`FRAME-5`), but all its lines
   * count.
   */
  #split(data: unknown): SplitFrame {
    const one = { messages: [data], count: 1 };
    if (typeof data !== 'string' || !data.includes('\n')) return one;
    const { messagePrefix } = this.#parts.settings;
    const start = messagePrefix + pushLetter;
    if (!data.startsWith(start)) return one;
    const lines = splitFrame(data);
    if (lines.length === 1) return one;
    const pushes = lines.filter(
      (text) => text.startsWith(start) && decodePushNumber(messagePrefix, text) !== undefined,
    );
    return { messages: pushes.length === 0 ? [data] : pushes, count: lines.length };
  }

  #isPart(text: string): boolean {
    // A part ends with its text.
    return text.endsWith('"]') && text.startsWith(this.#parts.settings.messagePrefix + partLetter);
  }

  /** True if there is a gate. */
  get hasGate(): boolean {
    return this.#parts.features.gate !== undefined;
  }

  /** Adds a feature. Throws if its letter is taken. */
  addFeature(feature: RoomFeature<Origin, RequestOrigin>): FeatureRoom<Origin> {
    this.#parts.features.add(feature);
    return this.#featureAccess;
  }

  /** Sets the gate. Throws if there is one. */
  setGate(gate: RoomGate<Origin, RequestOrigin>): FeatureRoom<Origin> {
    this.#parts.features.gate = gate;
    return this.#featureAccess;
  }

  /**
   * Lets a new connection in. Call it before anybody else hears of the connection. Resolves to false if the gate refused:
   * then the connection is closed, or closing. Never rejects.
   */
  async connected(connection: RoomConnection<Origin>, request: RequestOrigin): Promise<boolean> {
    const { peers, features } = this.#parts;
    const peer = peers.of(connection);
    const { gate } = features;
    if (gate !== undefined) {
      peer.verification = this.#verify(gate, peer, request);
      if (!(await peer.verification)) return false;
    }
    if (!this.#findsPlace(peer)) return false;
    peer.enter();
    return true;
  }

  /**
   * Resolves to true if the gate admits a connection, waiting for it while it decides. Otherwise the connection is closed.
   * A room without a gate admits everybody.
   */
  async isAdmitted(connection: RoomConnection<Origin>): Promise<boolean> {
    return await this.#passes(this.#parts.peers.of(connection));
  }

  /** Returns true if anybody has heard of the connection. */
  hasEntered(connection: RoomConnection<Origin>): boolean {
    return this.#parts.peers.of(connection).isIn;
  }

  /** Verifies a request for the content. Rejects with the error that refuses it. */
  async admitRequest(request: RequestOrigin, access: 'read' | 'write'): Promise<void> {
    const { features } = this.#parts;
    await features.gate?.admitRequest(request);
    if (access === 'read' || features.mayWrite({ type: 'seed', request })) return;
    const message = 'This user may only read, and cannot give the room its initial content.';
    throw new TinyBasePartyKitError('forbidden', message);
  }

  /** Returns the gate's headers for the answer to a request. */
  headersFor(request: RequestOrigin): Readonly<Record<string, string>> {
    return this.#parts.features.gate?.headers?.(request) ?? {};
  }

  /** Returns a feature's answer to a request; undefined if no feature has one. */
  answer(request: RequestOrigin, path: string): Promise<Response> | undefined {
    return this.#parts.features.answer(request, path, true);
  }

  /** Does the same while the room cannot be loaded. */
  answerUnloaded(request: RequestOrigin, path: string): Promise<Response> | undefined {
    return this.#parts.features.answer(request, path, false);
  }

  /** Ends a connection whose own side closed the socket. Call it if the host can tell. */
  disconnected(connection: RoomConnection<Origin>): void {
    this.#parts.peers.of(connection).leave('peer');
  }

  /** Resolves to the content, once it is written: the host holds the answer back until it is on disk. Rejects with `unavailable` if storage fails. */
  async content(): Promise<RoomContent> {
    const { writer, contentCache } = this.#parts;
    for (;;) {
      await this.#loaded();
      await writer.whenFree();
      // The state and the Store may have changed while the room waited.
      const state = this.#persistence.current;
      if (state === undefined || !writer.isFree()) continue;
      const { cursor, hasStore } = state;
      const json = hasStore ? contentCache.read(state, () => this.store.getJson()) : undefined;
      await assertStored(state.durability.whenWritten());
      return { cursor, json };
    }
  }

  /**
   * Gives the room its initial content (`SEED-1`), and tells what of it was refused or altered (`SEED-4`). Rejects with
   * `unavailable` if it could not be stored.
   */
  async seed(content: LeafMap<Leaf>, request: RequestOrigin): Promise<SeedOutcome> {
    const state = await this.#loaded();
    const outcome = await state.seed(content, request);
    await assertStored(state.durability.whenDurable());
    return outcome;
  }

  /**
   * Resolves to the room as one document, once it is written; undefined if it has no Store. If the room cannot be loaded, the document has
   * what can be read, and tells in `incomplete` what cannot. Rejects with `unavailable` if storage fails.
   */
  async exportRoom(): Promise<RoomDocument | undefined> {
    try {
      await this.#loaded();
    } catch {
      // The error was reported.
      const salvaged = await this.#parts.queue.add(() => this.#persistence.salvage());
      // Something may have loaded or emptied the room meanwhile.
      if (!this.isLoaded) return salvaged && makeSalvagedDocument(salvaged);
    }
    const { cursor, json } = await this.content();
    return json === undefined ? undefined : makeRoomDocument(cursor, json);
  }

  /**
   * Replaces the room by a document, in a new epoch: everybody loads it again, and clients push their unconfirmed edits
   * (`JOIN-8`). Atomic on disk. Works for a room that cannot be loaded. Rejects with `malformed` if the document is invalid,
   * with `unavailable` if it cannot be stored: then the room is loaded again, as whichever of the two is on disk.
   */
  async restoreRoom(document: unknown): Promise<void> {
    const { version, content } = readRoomDocument(document);
    const { queue, peers, outgoing } = this.#parts;
    await queue.add(async () => {
      const state = await this.#stateOrNone();
      while (state?.durability.isSettled === false)
        await assertStored(state.durability.whenDurable());
      // Before anything is written, so that nobody takes a version of the new epoch for one of the old.
      const text = 'The room was restored to another state: load the content again.';
      outgoing.dismiss(text);
      try {
        if (state === undefined) await this.#persistence.replaceUnloaded(content, version);
        else await this.#persistence.replace(state, content, version);
      } finally {
        // A stock peer may have loaded the old content meanwhile, and would never know.
        for (const peer of peers.open()) {
          if (peer.state.type === 'stock') outgoing.close(peer, 'unavailable', text);
        }
      }
    });
  }

  /** Refuses a connection because the room cannot be loaded. */
  refuseUnloaded(connection: RoomConnection<Origin>): void {
    const { peers, outgoing } = this.#parts;
    outgoing.refuse(peers.of(connection), 'unavailable', UNLOADED);
  }

  /**
   * Removes all that the room has stored: it is an empty room, in a new epoch (`LIFE-8`). Resolves when that is on disk. Rejects
   * with `unavailable` if storage fails: then the room is loaded again, as whatever is on disk.
   */
  async wipe(): Promise<void> {
    await this.#parts.queue.add(() => this.#persistence.wipe());
  }

  /**
   * Call it when somebody empties the room's storage, with a promise of the end of that: the room becomes an empty one at
   * once, aloud (`LIFE-7`). Resolves when nothing of the room is left. Never rejects.
   */
  async storageEmptied(emptied: Promise<unknown>): Promise<void> {
    const { reporter } = this.#parts;
    if (this.#persistence.current?.hasStore !== false) {
      const message =
        'The app emptied the storage of this room (deleteAll, or delete of its keys): the room starts again without content. Call wipe() to remove the room alone.';
      reporter.report(new Error(message), 'storage');
    }
    try {
      await this.#persistence.empty(emptied);
    } catch (error) {
      reporter.report(error, 'storage');
    }
  }

  /** Asks the gate about a new connection. Never rejects. */
  async #verify(
    gate: RoomGate<Origin, RequestOrigin>,
    peer: Peer<Origin>,
    request: RequestOrigin,
  ): Promise<boolean> {
    const { outgoing, reporter } = this.#parts;
    try {
      await gate.admit(peer.connection.origin, request);
      peer.verification = undefined;
      if (peer.hasLeft) return false;
      if (peer.standing === 'admitted') return true;
      outgoing.refuse(peer, 'expired', EXPIRED);
    } catch (error) {
      peer.verification = undefined;
      if (error instanceof TinyBasePartyKitError) outgoing.refuse(peer, error.code, error.message);
      else {
        reporter.report(error, 'feature');
        outgoing.refuse(peer, 'failed', 'The room could not verify the connection: try again.');
      }
    }
    return false;
  }

  /** Closes a connection that the gate does not admit. After a sleep, the room may have lost its grant. */
  async #passes(peer: Peer<Origin>): Promise<boolean> {
    if (peer.verification !== undefined && !(await peer.verification)) return false;
    if (peer.hasLeft) return false;
    if (peer.standing === 'admitted') return true;
    this.#parts.outgoing.refuse(peer, 'expired', EXPIRED);
    return false;
  }

  /** Closes a connection for which the room has no place. One that has spoken or was let in has its place. */
  #findsPlace(peer: Peer<Origin>): boolean {
    const { host, outgoing, settings } = this.#parts;
    const { connections } = settings.limits;
    if (this.#places.take(peer, connections, host.now())) return true;
    const text = `The room has ${connections} connections, and takes no more: try again later.`;
    outgoing.refuse(peer, 'full', text);
    return false;
  }

  #takeFeatureFrame(
    peer: Peer<Origin>,
    frame: FeatureFrame<Origin, RequestOrigin>,
  ): MaybePromise<Dealt> {
    const { features, outgoing } = this.#parts;
    const sender = peer.state;
    const deal = (): Dealt =>
      this.#inOrder(peer, () => {
        if (peer.isGone) return;
        const isIntact = !peer.hasLostPush && !hasBegunAgain(peer, sender);
        features.receive(peer.connection.origin, frame, isIntact);
      });
    const state = this.#persistence.load();
    return state instanceof Promise
      ? state.then(deal, () => outgoing.sendError(undefined, peer, 'unavailable', UNLOADED))
      : deal();
  }

  /** Returns true for a frame that nobody looks at. */
  #isFlood(peer: Peer<Origin>, length: number, now: number): boolean {
    const { limits } = this.#parts.settings;
    return (
      peer.isFlooding(length, now, limits) ||
      this.#turns.isFull(peer.line, limits.heldLength * PART_OF_TURNS)
    );
  }

  /** Returns false for a frame of which nothing is dealt with. */
  #begins(peer: Peer<Origin>, waiting: ReceivedFrame): boolean {
    if (peer.isGone) return false;
    const { outgoing, settings } = this.#parts;
    if (waiting.begin(settings.limits) && outgoing.makePlace(peer, 0)) return true;
    this.#overload(peer);
    return false;
  }

  /** Refuses a message unread, so that a flood costs others as little as possible (`FLOOD-1`). */
  #refuseFlood(peer: Peer<Origin>): void {
    // What it sent before is still dealt with.
    peer.line.behind(() => this.#overload(peer));
  }

  #overload(peer: Peer<Origin>): void {
    const text = 'This connection sends more than the room takes: say hello again, a little later.';
    this.#parts.outgoing.overload(peer, text, this.#parts.host);
  }

  /** Runs a step in the queue. Settles when the step is complete. Neither throws nor rejects. */
  #enqueue(step: () => MaybePromise<Dealt>): MaybePromise<void> {
    const report = (error: unknown): void => this.#parts.reporter.report(error, 'room');
    try {
      const dealt = this.#parts.queue.add(step);
      if (dealt instanceof Promise) return dealt.then(decidedOf).catch(report);
      return dealt?.decided.catch(report);
    } catch (error) {
      report(error);
      return undefined;
    }
  }

  /** Handles a message after all earlier ones of its connection. The queue does not wait for it. */
  #inOrder(peer: Peer<Origin>, deal: () => MaybePromise<void>): Dealt {
    const decided = peer.undecided.add(deal);
    return decided instanceof Promise ? { decided } : undefined;
  }

  async #loaded(): Promise<RoomState<Origin, RequestOrigin>> {
    const { current } = this.#persistence;
    return current ?? (await this.#parts.queue.add(() => this.#persistence.load()));
  }

  /** Resolves to undefined if the room cannot be loaded: that was reported. Call it in the queue. */
  async #stateOrNone(): Promise<RoomState<Origin, RequestOrigin> | undefined> {
    try {
      return await this.#persistence.load();
    } catch {
      return undefined;
    }
  }

  #takeFrame(peer: Peer<Origin>, data: unknown): MaybePromise<Dealt> {
    if (peer.isGone) return undefined;
    const { messagePrefix } = this.#parts.settings;
    let message: ClientMessage | undefined;
    try {
      message = decodeClientMessage(messagePrefix, data);
    } catch (error) {
      if (!(error instanceof TinyBasePartyKitError)) throw error;
      // With an empty prefix, a frame that does not decode may be the app's own (`FRAME-2`).
      if (peer.state.type === 'client') {
        const push = decodePushNumber(messagePrefix, data);
        const hint = messagePrefix === '' && push === undefined ? APP_HINT : '';
        return this.#inOrder(peer, () => {
          const { current } = this.#persistence;
          this.#parts.outgoing.sendError(current, peer, error.code, error.message + hint, push);
        });
      }
      return undefined;
    }
    if (message?.type === 'mark') {
      this.#parts.outgoing.takeMark(peer, message.text);
      return undefined;
    }
    if (message?.type !== 'hello')
      return message === undefined ? undefined : this.#takeMessage(peer, message);
    const clientId = this.#parts.features.clientIdOf(peer.connection.origin, message.clientId);
    return this.#takeMessage(peer, { ...message, clientId });
  }

  #takeMessage(peer: Peer<Origin>, message: ClientMessage): MaybePromise<Dealt> {
    const state = this.#persistence.load();
    return state instanceof Promise
      ? state.then(
          (loaded) => this.#deal(loaded, peer, message),
          () => this.#refuseUnloaded(peer, message),
        )
      : this.#deal(state, peer, message);
  }

  #deal(
    state: RoomState<Origin, RequestOrigin>,
    peer: Peer<Origin>,
    message: ClientMessage,
  ): Dealt {
    const sender = peer.state;
    if (!peer.undecided.isEmpty && message.type === 'ping') {
      this.#parts.outgoing.sendAlive(peer);
      return undefined;
    }
    if (
      message.type === 'hello' &&
      sender.type === 'client' &&
      sender.clientId === message.clientId
    ) {
      void state.receive(peer, message);
      // The client sends undecided pushes again (`ONCE-9`).
      if (peer.state !== sender) peer.undecided.overtake();
      return undefined;
    }
    const isPush = message.type === 'push' || message.type === 'part';
    if (isPush && sender.type === 'client' && sender.liveness === 'stopped') return undefined;
    return this.#inOrder(peer, () => {
      if (hasBegunAgain(peer, sender) || state !== this.#persistence.current) return undefined;
      if (peer.hasOverspent && (isPush || message.type === 'stock')) return this.#refuseFlood(peer);
      return state.receive(peer, message);
    });
  }

  /** Refuses a message because the room cannot be loaded. Closing is the only way to tell a stock peer that it lost a change. */
  #refuseUnloaded(peer: Peer<Origin>, message: ClientMessage): void {
    const { outgoing } = this.#parts;
    if (peer.isGone) return;
    if (peer.state.type === 'client' || message.type === 'hello') {
      outgoing.sendError(undefined, peer, 'unavailable', UNLOADED);
    } else if (message.type === 'stock') outgoing.close(peer, 'unavailable', UNLOADED);
  }
}

/** Returns the length of a frame, in characters, or in bytes if it is binary. */
function lengthOf(data: unknown): number {
  if (typeof data === 'string') return data.length;
  return data instanceof ArrayBuffer || ArrayBuffer.isView(data) ? data.byteLength : 0;
}

/** A message that is not decided yet; undefined if it is complete. */
type Dealt = { readonly decided: Promise<void> } | undefined | void;

/** Returns true if a sender has said hello again since it was in that state: what it sent then is dropped. */
function hasBegunAgain({ state }: Peer<unknown>, sender: PeerState): boolean {
  if (sender.type !== 'client') return false;
  return state.type !== 'client' || state.generation !== sender.generation;
}

async function decidedOf(dealt: Dealt): Promise<void> {
  await dealt?.decided;
}

/** Rejects with `unavailable` unless everything was stored. */
async function assertStored(isStored: Promise<boolean> | undefined): Promise<void> {
  if ((await isStored) === true) return;
  throw new TinyBasePartyKitError('unavailable', 'The room could not store it: try again later.');
}
