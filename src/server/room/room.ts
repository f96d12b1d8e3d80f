import type { Store } from 'tinybase';

import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { Cursor } from '../../protocol/messages.ts';
import type { RoomDocument } from '../../protocol/room-handle.ts';

import { RoomPersistence } from '../history/room-persistence.ts';
import type { RoomState } from '../history/room-state.ts';
import { UnsendableLeaves } from '../writes/unsendable-leaves.ts';
import { StoreWriter } from '../writes/store-writer.ts';
import { Admission } from './admission.ts';
import { Arrivals } from './arrivals.ts';
import { ContentAnswers } from './content-answers.ts';
import { ContentCache } from './content-cache.ts';
import { Delivery, UNLOADED } from './delivery.ts';
import { ErrorReporter } from './error-reporter.ts';
import { FeatureAccess } from './feature-access.ts';
import { InitialContentQueue } from './initial-content-queue.ts';
import { Outgoing } from './outgoing.ts';
import { Peers } from './peers.ts';
import { RepresentedCallers } from './represented-callers.ts';
import { RoomAdministration } from './room-administration.ts';
import { makeRoomDocument, makeSalvagedDocument, readRoomDocument } from './room-document.ts';
import type { FeatureRoom, RoomFeature, RoomGate } from './room-feature.ts';
import { RoomFeatures } from './room-features.ts';
import type { RoomConnection, RoomHost } from './room-host.ts';
import type { RoomLimits, RoomOptions } from './room-options.ts';
import type { RoomParts } from './room-parts.ts';
import { RoomSettings } from './room-settings.ts';
import { RoomStore } from './room-store.ts';
import { SerialQueue } from './serial-queue.ts';
import { WaitingBodies } from './waiting-bodies.ts';
import type { SeedOutcome } from '../writes/write-target.ts';

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
 * `Connection` and `Request` are the types of the host's own objects, which hooks get.
 */
export class Room<Connection, Request = Connection> {
  /** The bodies of requests that the room holds. */
  readonly bodies: WaitingBodies;
  /** The bodies of requests that the gate refused. They take no space from the others. */
  readonly refusedBodies: WaitingBodies;
  /** The answers to GET that are being sent. */
  readonly answers: ContentAnswers;
  /** The connections and sizes of the room. */
  readonly administration: RoomAdministration<Connection, Request>;
  readonly #parts: RoomParts<Connection, Request>;
  readonly #persistence: RoomPersistence<Connection, Request>;
  readonly #featureAccess: FeatureAccess<Connection, Request>;
  readonly #admission: Admission<Connection, Request>;
  readonly #arrivals: Arrivals<Connection, Request>;
  readonly #initialContentQueue: InitialContentQueue;

  constructor(host: RoomHost<Connection>, options: RoomOptions<Connection, Request> = {}) {
    const observed = new RoomStore((log) => this.#persistence.commitOwn(log));
    const reporter = new ErrorReporter(options);
    const settings = new RoomSettings(options, reporter);
    const features = new RoomFeatures<Connection, Request>(settings, reporter);
    const peers = new Peers(host, features, settings);
    const delivery = new Delivery(host, peers, settings);
    const writer = new StoreWriter(observed, settings, reporter, features, host);
    this.#parts = {
      host,
      settings,
      observed,
      reporter,
      queue: new SerialQueue(),
      peers,
      delivery,
      outgoing: new Outgoing(delivery, peers, settings),
      features,
      writer,
      unsendableLeaves: new UnsendableLeaves(observed, writer, reporter),
      contentCache: new ContentCache(host),
      represented: new RepresentedCallers(),
    };
    this.#persistence = new RoomPersistence(this.#parts);
    this.administration = new RoomAdministration(this.#parts, this.#persistence);
    this.#featureAccess = new FeatureAccess(this.#parts, this.#persistence, this.administration);
    this.#admission = new Admission(this.#parts);
    this.#arrivals = new Arrivals(this.#parts, this.#persistence, this.#admission);
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
  receive(connection: RoomConnection<Connection>, data: unknown): Promise<void> {
    return this.#arrivals.receive(this.#parts.peers.of(connection), data);
  }

  /**
   * Counts a message that comes while the room is not ready, so that messages do not fill its memory meanwhile (`LIMIT-5`). Returns
   * the function that ends that; undefined if the message is dropped: its connection has left, or the room holds too much.
   */
  countWaiting(connection: RoomConnection<Connection>, data: unknown): (() => void) | undefined {
    return this.#arrivals.countWaiting(this.#parts.peers.of(connection), data);
  }

  /** True if there is a gate. */
  get hasGate(): boolean {
    return this.#parts.features.gate !== undefined;
  }

  /** Adds a feature. Throws if its letter is taken. */
  addFeature(feature: RoomFeature<Connection, Request>): FeatureRoom<Connection> {
    this.#parts.features.add(feature);
    return this.#featureAccess;
  }

  /** Sets the gate. Throws if there is one. */
  setGate(gate: RoomGate<Connection, Request>): FeatureRoom<Connection> {
    this.#parts.features.gate = gate;
    return this.#featureAccess;
  }

  /**
   * Lets a new connection in. Call it before anybody else hears of the connection. Resolves to false if the gate refused:
   * then the connection is closed, or closing. Never rejects.
   */
  connected(connection: RoomConnection<Connection>, request: Request): Promise<boolean> {
    return this.#admission.admit(this.#parts.peers.of(connection), request);
  }

  /** Closes a connection, and returns false, if the room has as many as it takes (`FLOOD-5`). For a room without a gate and features. */
  hasSpaceFor(connection: RoomConnection<Connection>): boolean {
    return this.#admission.hasSpaceFor(this.#parts.peers.of(connection));
  }

  /**
   * Resolves to true if the gate admits a connection, waiting for it while it decides. Otherwise the connection is closed.
   * A room without a gate admits everybody.
   */
  isAdmitted(connection: RoomConnection<Connection>): Promise<boolean> {
    return this.#admission.passes(this.#parts.peers.of(connection));
  }

  /** Returns true once a connection was admitted: before, nobody has heard of it. */
  wasAdmitted(connection: RoomConnection<Connection>): boolean {
    return this.#parts.peers.of(connection).wasAdmitted;
  }

  /** Verifies a request for the content. Rejects with the error that refuses it. */
  admitRequest(request: Request, access: 'read' | 'write'): Promise<void> {
    return this.#admission.admitRequest(request, access);
  }

  /** Returns the gate's headers for the answer to a request. */
  headersFor(request: Request): Readonly<Record<string, string>> {
    return this.#parts.features.gate?.headers?.(request) ?? {};
  }

  /** Returns a feature's answer to a request; undefined if no feature has one. */
  answer(request: Request, path: string): Promise<Response> | undefined {
    return this.#parts.features.answer(request, path, true);
  }

  /** Does the same while the room cannot be loaded. */
  answerUnloaded(request: Request, path: string): Promise<Response> | undefined {
    return this.#parts.features.answer(request, path, false);
  }

  /** Ends a connection whose own side closed the socket. Call it if the host can tell. */
  disconnected(connection: RoomConnection<Connection>): void {
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
  async seed(content: LeafMap<Leaf>, request: Request): Promise<SeedOutcome> {
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
    const { queue, peers, delivery } = this.#parts;
    await queue.add(async () => {
      const state = await this.#stateOrNone();
      while (state?.durability.isSettled === false)
        await assertStored(state.durability.whenDurable());
      // Before anything is written, so that nobody takes a version of the new epoch for one of the old.
      const text = 'The room was restored to another state: load the content again.';
      delivery.dismiss(text);
      try {
        if (state === undefined) await this.#persistence.replaceUnloaded(content, version);
        else await this.#persistence.replace(state, content, version);
      } finally {
        // A stock peer may have loaded the old content meanwhile, and would never know.
        for (const peer of peers.all()) {
          if (peer.state.type === 'stock') delivery.closeSilent(peer, text);
        }
      }
    });
  }

  /** Refuses a connection because the room cannot be loaded. */
  refuseUnloaded(connection: RoomConnection<Connection>): void {
    const { peers, delivery } = this.#parts;
    delivery.refuse(peers.of(connection), 'unavailable', UNLOADED);
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
   * once, and tells the app and every connection so (`LIFE-7`). Resolves when nothing of the room is left. Never rejects.
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

  /**
   * Call it when something that the room takes for stored was undone, and could not be written again: the room starts again with
   * what is on disk (`DURABLE-6`).
   */
  storageUndone(cause: unknown): void {
    const message =
      "A transaction of the app was undone, and the room could not write again what it had stored meanwhile: changes of the room's own code since then are lost. Make them again.";
    const error = new TinyBasePartyKitError('unavailable', message, { cause });
    this.#persistence.undone(error);
  }

  async #loaded(): Promise<RoomState<Connection, Request>> {
    const { current } = this.#persistence;
    return current ?? (await this.#parts.queue.add(() => this.#persistence.load()));
  }

  /** Resolves to undefined if the room cannot be loaded: that was reported. Call it in the queue. */
  async #stateOrNone(): Promise<RoomState<Connection, Request> | undefined> {
    try {
      return await this.#persistence.load();
    } catch {
      return undefined;
    }
  }
}

/** Rejects with `unavailable` unless everything was stored. */
export async function assertStored(isStored: Promise<boolean> | undefined): Promise<void> {
  if ((await isStored) === true) return;
  throw new TinyBasePartyKitError('unavailable', 'The room could not store it: try again later.');
}
