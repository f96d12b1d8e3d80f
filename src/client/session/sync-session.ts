import type { Store } from 'tinybase';

import { decodeContent, decodeRoomMessage, encodeContent } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import type { Cursor, RoomMessage } from '../../protocol/messages.ts';
import type { RestoredRecords } from '../offline/client-storage.ts';
import { Confirmations } from './confirmations.ts';
import { BUSY } from '../content/first-content.ts';
import { Link } from './link.ts';
import { Outbox } from '../offline/outbox.ts';
import { Replica } from '../replica/replica.ts';
import type { SessionPorts } from './session-ports.ts';
import type { Stats } from './stats.ts';
import { SyncReport } from './sync-report.ts';
import type { InitialContent, SessionEvents, Sync } from './sync.ts';
import { Wishes } from './wishes.ts';

/** How long to wait before asking again whether the app's transaction is over. */
const BUSY_MILLISECONDS = 5;

/**
 * Keeps a Store and a room together, as far as the app wishes, and says how that stands. Synchronous at its core: sockets,
 * HTTP, time and randomness come from outside.
 */
export class SyncSession {
  /** The session's view of the Store. */
  readonly replica: Replica;
  readonly #ports: SessionPorts;
  readonly #prefix: () => string;
  readonly #wishes = new Wishes();
  readonly #report: SyncReport;
  readonly #outbox: Outbox;
  readonly #link: Link;
  readonly #confirmations = new Confirmations();
  readonly #stats: Stats = { loads: 0, saves: 0 };
  /** True once it was destroyed or replaced: then no other room can be gone to either. */
  #isOver = false;

  constructor(store: Store, prefix: () => string, ports: SessionPorts, events: SessionEvents) {
    this.#ports = ports;
    this.#prefix = prefix;
    this.#report = new SyncReport(events);
    const onError = (error: unknown): void => this.#report.failed(error);
    this.replica = new Replica(store, {
      onPending: () => {
        this.#outbox.save();
        this.#link.flush();
        this.#tell();
      },
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
        ...this.#link.identity,
        lastNumber: this.replica.lastNumber,
        pending: this.replica.pending,
      }),
      base: () => this.#base(),
      onDurable: () => this.#link.durable(),
      onError,
    });
    this.#link = new Link({
      ports,
      prefix,
      replica: this.replica,
      wishes: this.#wishes,
      outbox: this.#outbox,
      stats: this.#stats,
      onChange: () => this.#tell(),
      onStopped: (error) => this.#confirmations.end(error),
      onRefused: (refusals) => events.onRefused(refusals),
      onError,
    });
    if (ports.restored !== undefined) this.#restore(ports.restored);
  }

  /** The state as of now. */
  get sync(): Sync {
    return this.#report.sync;
  }

  /** How often remote content or changes were applied, and how often something was sent. */
  get stats(): Stats {
    return { ...this.#stats };
  }

  /** What the base is a version of; undefined while nothing of the room is held. */
  get cursor(): Cursor | undefined {
    return this.#link.cursor;
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
    if (!this.#wishes.isFollowing) this.#link.forgetBase();
    this.#wishes.isFollowing = true;
    this.replica.setFollowing(true);
    this.replica.startTracking();
    return this.#link.load(initialContent);
  }

  /** Shows no more remote changes. */
  stopFollowing(): void {
    this.#wishes.isFollowing = false;
    this.replica.setFollowing(false);
    this.#link.advance();
  }

  /** Sends edits from now on, and those held. Settles when the room is known to have a Store, or not to answer. */
  startSaving(): Promise<void> {
    if (this.#isRefused()) return Promise.resolve();
    this.replica.startTracking();
    this.#wishes.isSaving = true;
    this.replica.setSaving(true);
    return this.#link.seedIfEmpty();
  }

  /** Holds edits from now on. What is pending is still sent. */
  stopSaving(): void {
    this.#wishes.isSaving = false;
    this.replica.setSaving(false);
    this.#link.advance();
  }

  /** Shows the room's content once. */
  load(initialContent?: InitialContent): Promise<void> {
    if (this.#isRefused()) return Promise.resolve();
    this.#wishes.isLoadingOnce = true;
    this.replica.startTracking();
    return this.#link.load(initialContent);
  }

  /** Sends what is held once, and makes the Store the room's first content if it has none. */
  save(): Promise<void> {
    if (this.#isRefused()) return Promise.resolve();
    this.replica.startTracking();
    this.#wishes.isSavingOnce = true;
    this.replica.releaseHeld();
    return this.#link.seedIfEmpty();
  }

  /** Settles when all edits made so far are confirmed; rejects if they cannot be any more. */
  whenConfirmed(): Promise<void> {
    const { error } = this.#link;
    if (error !== undefined) return Promise.reject(error);
    if (this.#unsaved === 0) return Promise.resolve();
    // What is held will be one push, the next.
    return this.#confirmations.wait(this.replica.lastNumber + (this.replica.hasHeld ? 1 : 0));
  }

  /** Shows the room's leaves in place of local-only ones (LOCAL-2). */
  discardLocal(): void {
    if (this.#isOver) return;
    if (this.replica.discardLocal()) this.#tell();
    else this.#ports.after(BUSY_MILLISECONDS, () => this.discardLocal());
  }

  /** The socket is open. */
  opened(): void {
    this.#link.opened();
  }

  /** The socket is not open any more, or has failed to open. */
  closed(): void {
    this.#link.closed();
  }

  /** The network was lost, or is back. */
  networkChanged(): void {
    this.#link.networkChanged();
  }

  /** A frame arrived; those that are not ours are ignored. */
  received(data: unknown): void {
    const message = this.#decode(data);
    if (message !== undefined) this.#link.received(message);
  }

  /** The socket leads to another room now: nothing of the old one goes there. */
  moveToAnotherRoom(): void {
    if (this.#isOver) return;
    const message =
      'The socket leads to another room now; edits that the old one had not confirmed were reported and not sent.';
    this.#confirmations.end(new TinyBasePartyKitError('replaced', message));
    this.#outbox.clear();
    this.#link.renew();
    this.replica.abandon('another-room');
    this.#link.advance();
  }

  /** Ends the session; edits that are not confirmed are reported. */
  destroy(): void {
    const message =
      'The persister was destroyed; edits that the room had not confirmed were reported, and later ones are not tracked.';
    this.#end(new TinyBasePartyKitError('destroyed', message));
  }

  /** As {@link destroy}, because another session uses the socket from now on. That is reported, too. */
  replaced(): void {
    if (this.#isOver) return;
    const message =
      'Another persister was created on the same socket, with the same messagePrefix: this one sends and shows nothing any more.';
    const error = new TinyBasePartyKitError('replaced', message);
    this.#end(error);
    this.#report.failed(error);
  }

  #end(error: TinyBasePartyKitError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#wishes.end();
    this.#link.stop(error);
    this.#outbox.stop();
    this.replica.stop();
    this.replica.abandon('destroyed');
    this.#tell();
  }

  /** True if nothing can be started any more; says why. */
  #isRefused(): boolean {
    if (this.#isOver) this.#report.failed(this.#link.error);
    return this.#isOver;
  }

  #decode(data: unknown): RoomMessage | undefined {
    try {
      return decodeRoomMessage(this.#prefix(), data);
    } catch {
      // With an empty prefix this may be the app's own; if it was ours, the next commit or pong shows the gap.
      return undefined;
    }
  }

  #restore(restored: RestoredRecords): void {
    const { outbox, base } = restored;
    this.replica.startTracking();
    if (base !== undefined) {
      this.replica.catchUp(decodeContent(base.content) ?? new LeafMap(), 0, undefined, true);
    }
    this.#link.restore(restored);
    if (outbox === undefined) return;
    const pushes = this.#outbox.restore(outbox, base?.folded ?? 0);
    this.replica.restore(pushes, outbox.lastNumber);
  }

  #base(): { cursor: Cursor; content: string } | typeof BUSY | undefined {
    const { cursor, phase } = this.#link;
    // While content is being loaded, the Store may show what the cursor left behind long ago.
    if (cursor === undefined || !this.isFollowing || phase !== 'live') return undefined;
    const content = this.replica.readBase();
    return content === undefined ? BUSY : { cursor, content: encodeContent(content) };
  }

  get #unsaved(): number {
    return this.replica.pending.length + (this.replica.hasHeld ? 1 : 0);
  }

  #tell(): void {
    const unsaved = this.#unsaved;
    const { localOnly, nextPush } = this.replica;
    this.#confirmations.settle(unsaved === 0 ? Infinity : nextPush);
    this.#report.stands(this.#link.phase, { unsaved, localOnly }, this.#link.error);
  }
}
