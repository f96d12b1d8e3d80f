import { isEmptyChanges, type Changes } from '../../protocol/changes.ts';
import { encodeChanges } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { ClientMessage, Cursor } from '../../protocol/messages.ts';
import { readContent, type TransactionLog } from '../../protocol/store-access.ts';

import { answerForeignHello, answerHello } from '../room/answer-hello.ts';
import type { AskedOrigin, ChangeOrigin, PushOrigin } from '../room/change-origin.ts';
import { waitFor, type MaybePromise } from '../room/maybe-promise.ts';
import type { Peer } from '../room/peer.ts';
import type { RoomFeatures } from '../room/room-features.ts';
import type { RoomParts } from '../room/room-parts.ts';
import type { LogEntry } from '../storage/log-row.ts';
import type { RoomStorage } from '../storage/room-storage.ts';
import type { LoadedRoom } from '../storage/stored-room.ts';
import {
  assertContentFits,
  contentBytes,
  measureGrowth,
  measureContent,
  type ContentSize,
} from '../writes/content-size.ts';
import type { SeedOutcome, WriteOutcome, WriteTarget } from '../writes/write-target.ts';
import { birthsOf } from './births.ts';
import { ClientRecords } from './client-records.ts';
import { CommitHistory } from './commit-history.ts';
import {
  DurabilityGate,
  type DurabilityOwner,
  type PendingEntry,
  type Waiter,
} from './durability-gate.ts';
import { CANNOT_STORE, LOST_PLACE, PushIntake } from './push-intake.ts';
import type { RoomPersistence } from './room-persistence.ts';
import { RecentDeletions } from './recent-deletions.ts';
import { Settlement } from './settlement.ts';

/** The result of a transaction. */
type Committed =
  /** It changed nothing. */
  | 'nothing'
  | 'commit'
  /** It became the room's initial content: everybody was told to load it, also its author. */
  | 'initial content';

/**
 * Everything that the room knows in addition to its Store, from one load to the next: the version, the history, the clients, and
 * the entries on their way to the disk. Handles one message at a time, by the rules of docs/protocol.md. After a failed write,
 * a new object replaces this one.
 */
export class RoomState<Connection, Request>
  implements WriteTarget<Connection, Request>, DurabilityOwner
{
  readonly clients: ClientRecords;
  readonly history: CommitHistory;
  readonly durability: DurabilityGate;
  readonly #parts: RoomParts<Connection, Request>;
  readonly #persistence: RoomPersistence<Connection, Request>;
  readonly #pushes: PushIntake<Connection, Request>;
  readonly #settlement: Settlement<Connection, Request>;
  /**
   * The tag of the versions that this object makes; undefined if the epoch began with it. A *life* is the time from one load to
   * the next.
   */
  readonly life: string | undefined;
  readonly #deletions = new RecentDeletions();
  #contentSize: ContentSize;
  #hasToldSize = false;
  #isLost = false;

  constructor(
    parts: RoomParts<Connection, Request>,
    persistence: RoomPersistence<Connection, Request>,
    storage: RoomStorage,
    loaded: Omit<LoadedRoom, 'content'> & {
      readonly contentSize: ContentSize;
      readonly life: string | undefined;
    },
  ) {
    this.#parts = parts;
    this.#persistence = persistence;
    this.#pushes = new PushIntake(parts, this);
    this.#settlement = new Settlement(parts, this);
    this.life = loaded.life;
    this.history = new CommitHistory(loaded, loaded.life);
    this.#contentSize = loaded.contentSize;
    this.clients = new ClientRecords(loaded.clients);
    this.durability = new DurabilityGate(storage, parts.host, this);
  }

  /** The version of the Store, and its history. It may not be durable yet. */
  get cursor(): Cursor {
    return this.history.cursor;
  }

  get version(): number {
    return this.history.version;
  }

  /** True if storage fails, and nothing is tried at the moment. */
  get isFailing(): boolean {
    return !this.durability.hasStored && this.#persistence.isFailing;
  }

  /** False until the initial content. */
  get hasStore(): boolean {
    return this.version > 0;
  }

  /** The approximate size of the content, in characters of JSON. */
  get contentSize(): number {
    return this.#contentSize.length;
  }

  /** The approximate memory of the content, in the units of `limits.contentBytes`. */
  get contentBytes(): number {
    return contentBytes(this.#contentSize);
  }

  /** Returns the number of the client's last processed push; 0 if unknown. */
  lastPush({ clientId, nextPush }: { clientId: string; nextPush: number }): number {
    return Math.max(this.clients.lastPush(clientId), nextPush - 1);
  }

  /** Handles a message. Works within the call unless it has to wait for hooks or an open transaction. */
  receive(peer: Peer<Connection>, message: ClientMessage): MaybePromise<void> {
    const { outgoing } = this.#parts;
    const { state } = peer;
    if (peer.isGone || state.type === 'gone') return undefined;
    if (message.type === 'hello') return answerHello(this, this.#parts, peer, message);
    if (message.type === 'foreign-hello')
      return answerForeignHello(this.#parts, peer, message.protocol);
    if (state.type === 'stock') {
      if (message.type === 'stock') return this.#pushStock(peer, message.changes);
      // A stock peer does not send such frames. So this client said hello, and the app or the host has lost its state.
      return outgoing.sendError(this, peer, 'stale', LOST_PLACE);
    }
    switch (message.type) {
      case 'push':
        return this.#pushes.take(peer, state, message);
      case 'part':
        return this.#pushes.takePart(peer, state, message);
      case 'mark':
        return undefined;
      case 'ping':
      case 'check': {
        const lastPush = this.lastPush(state);
        return outgoing.send(this, peer, { type: 'pong', version: this.version, lastPush });
      }
      case 'stock': {
        const text =
          'This connection said hello and then sent changes without a number: send a push.';
        return outgoing.sendError(this, peer, 'malformed', text);
      }
    }
  }

  /** Makes this the room's initial content if it has none yet (`SEED-1`). */
  async seed(content: LeafMap<Leaf>, request: Request): Promise<SeedOutcome> {
    if (this.hasStore) return { type: 'exists' };
    if (this.isFailing) throw new TinyBasePartyKitError('unavailable', CANNOT_STORE);
    assertContentFits(content, this.#parts.settings.limits.contentBytes);
    const changes: Changes = { deletedRows: new Map(), leaves: content };
    const outcome = await this.#parts.writer.write(this, changes, { type: 'seed', request });
    return outcome ?? { type: 'exists' };
  }

  /**
   * Gives a transaction its version, hands it to the durability gate, and makes the messages about it. Call it right after the
   * transaction.
   */
  commit(log: TransactionLog, origin: ChangeOrigin<Connection, Request>): Committed {
    if (isEmptyChanges(log.changes)) return 'nothing';
    if (!this.hasStore) {
      this.create(origin);
      return 'initial content';
    }
    const changes = this.#parts.unsendableLeaves.undoIn(log.changes, log.before);
    if (isEmptyChanges(changes)) return 'nothing';
    const encoded = encodeChanges(changes);
    const { length, leaves } = this.#contentSize;
    const growth = measureGrowth(log);
    this.#setSize({ length: length + growth.length, leaves: leaves + growth.leaves });
    const births = birthsOf(this.#parts.observed.store, changes, log.before);
    this.history.add(encoded, births);
    this.#deletions.note(this.version, changes.deletedRows);
    this.history.trimToSize(this.contentSize);
    const author = authorOf(origin);
    this.durability.add({ entry: { version: this.version, changes, encoded, author }, origin });
    this.#parts.outgoing.sendCommit(this, changes, encoded, origin);
    this.#tellFeatures(changes, origin);
    return 'commit';
  }

  /** Returns false if a change came too late: nothing of it is applied, and nobody is told. */
  takes(origin: AskedOrigin<Connection, Request>): boolean {
    if (this.#isLost || this.#persistence.current !== this) return false;
    switch (origin.type) {
      case 'seed':
        return !this.hasStore;
      case 'stock':
        return !origin.peer.isGone;
      case 'push':
        return !origin.peer.isGone && this.#isNext(origin);
    }
  }

  /** Returns true if the client still expects an answer to that push, and it is the next one (`ONCE-9`). */
  #isNext({ peer, clientId, generation, number }: PushOrigin<Connection>): boolean {
    const client = peer.state;
    return (
      client.type === 'client' &&
      client.liveness !== 'loading' &&
      client.clientId === clientId &&
      generation >= this.clients.generation(clientId) &&
      number === this.lastPush(client) + 1
    );
  }

  /** Commits a change that was applied, and answers its author. Called right after the transaction. */
  settle(
    asked: Changes,
    origin: AskedOrigin<Connection, Request>,
    outcome: WriteOutcome,
  ): SeedOutcome | undefined {
    // A change that is in the Store counts, also where a listener of the app has closed the connection since.
    const isApplied = outcome.log !== undefined && origin.type !== 'seed' && !this.#isLost;
    if (!isApplied && !this.takes(origin)) return undefined;
    return this.#settlement.settle(asked, origin, outcome);
  }

  wasDeletedSince(version: number, table: string, row: string): boolean {
    return this.#deletions.isAfter(version, table, row);
  }

  whenWritten(): Promise<boolean> {
    return this.durability.whenWritten();
  }

  get isCheckpointDue(): boolean {
    return this.#persistence.checkpoints.isDue;
  }

  startCheckpoint(): void {
    void this.#persistence.checkpoints.run(this);
  }

  /** Ends this state: it applies no more changes, and clients do not get the changes that are on their way to the disk. */
  abandon(error: unknown): void {
    this.#isLost = true;
    this.durability.fail(error);
  }

  lose(error: unknown, lost: readonly PendingEntry[]): void {
    const isAbandoned = this.#isLost;
    this.#isLost = true;
    this.#persistence.discard(this, error, lost, isAbandoned);
  }

  #pushStock(peer: Peer<Connection>, changes: Changes): MaybePromise<void> {
    if (!this.hasStore) return undefined;
    if (this.isFailing) return this.#parts.delivery.overload(peer, CANNOT_STORE);
    return waitFor(this.#parts.writer.write(this, changes, { type: 'stock', peer }));
  }

  /** Makes the number of a push durable, if the push made no commit (`ONCE-1`). */
  note(origin: ChangeOrigin<Connection, Request>): void {
    // Before the initial content there is no log, and nothing could be applied twice.
    if (!this.hasStore) return;
    const entry = { version: this.version, changes: undefined, author: authorOf(origin) };
    this.durability.add({ entry, origin });
  }

  /** Makes the content of the Store the room's initial content, which is version 1. */
  create(origin: ChangeOrigin<Connection, Request>): void {
    const content = this.#parts.unsendableLeaves.deleteIn(readContent(this.#parts.observed.store));
    this.history.begin();
    this.#setSize(measureContent(content));
    const changes: Changes = { deletedRows: new Map(), leaves: content };
    this.durability.create(
      { cursor: this.cursor, content, clients: this.clients.snapshot() },
      { entry: { version: 1, changes, author: undefined }, origin },
    );
    this.#parts.outgoing.sendInitialContent(this, changes);
    this.#tellFeatures(changes, origin);
  }

  /** Tells the app, once, when the content is over its limit: its own code is not refused (`LIMIT-2`). */
  #setSize(size: ContentSize): void {
    const bytes = contentBytes(size);
    const { contentBytes: limit } = this.#parts.settings.limits;
    const isGrowing = bytes > this.contentBytes;
    this.#contentSize = size;
    if (bytes <= limit) this.#hasToldSize = false;
    if (bytes <= limit || !isGrowing || this.#hasToldSize) return;
    this.#hasToldSize = true;
    const message = `The room's content is over limits.contentBytes (${limit}), so what would make it larger is refused to clients: delete some of it, or raise the limit.`;
    this.#parts.reporter.report(new TinyBasePartyKitError('too-large', message), 'limit');
  }

  #tellFeatures(changes: Changes, origin: ChangeOrigin<Connection, Request>): void {
    const { features } = this.#parts;
    if (features.isEmpty) return;
    features.committed({ cursor: this.cursor, changes, origin });
    this.durability.defer(new WrittenVersion(features, this.version));
  }
}

/** A version that waits until it is written: then the features hear of it. */
class WrittenVersion implements Waiter {
  readonly #features: Pick<RoomFeatures<never, never>, 'written'>;
  readonly #version: number;

  constructor(features: Pick<RoomFeatures<never, never>, 'written'>, version: number) {
    this.#features = features;
    this.#version = version;
  }

  onReleased(): void {
    this.#features.written(this.#version);
  }

  onLost(): void {
    // The room discards this state, and its history with it.
  }
}

/** Returns the push that storage remembers, so that it is not applied twice. */
function authorOf(origin: ChangeOrigin<unknown>): LogEntry['author'] {
  return origin.type === 'push' ? { clientId: origin.clientId, push: origin.number } : undefined;
}
