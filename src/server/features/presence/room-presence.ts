import type { Store } from 'tinybase';

import { ChangesBuilder } from '../../../protocol/changes.ts';
import { TinyBasePartyKitError } from '../../../protocol/errors.ts';
import * as fromClient from '../../../protocol/presence/presence-from-client.ts';
import type {
  PresenceCells,
  PresenceFromClient,
} from '../../../protocol/presence/presence-from-client.ts';
import type { MessageRate } from '../../../protocol/messages.ts';
import * as fromRoom from '../../../protocol/presence/presence-from-room.ts';
import type {
  PresenceError,
  PresenceFromRoom,
} from '../../../protocol/presence/presence-from-room.ts';
import { CONNECTIONS, USERS } from '../../../protocol/presence/presence-tables.ts';
import { RateLimiter } from '../../room/rate-limiter.ts';
import { PresenceAttachments } from './presence-attachments.ts';
import { PresenceBroadcast } from './presence-broadcast.ts';
import { PresenceMembers, type PresenceMember } from './presence-members.ts';
import type { PresenceOptions } from './presence-options.ts';
import type { IdentifiedConnection, PresenceRoom } from './presence-room.ts';
import { decideRow, excessOf, type RowDecision } from './presence-row.ts';
import { PresenceStore } from './presence-store.ts';
import { readUser, type UserRow } from './presence-user.ts';

const ROW_BYTES = 512;
const SILENCE_MILLISECONDS = 90_000;
const ANSWER_MILLISECONDS = 10_000;
/** Twice the rate of a client. A network that was interrupted may deliver many frames at once. */
const RATE: MessageRate = { messagesPerSecond: 60, messageBurst: 600 };
/** The cost of a row in the picture that answers a join, in characters. */
const PICTURE_ROW_LENGTH = 200;
const NO_CELLS: PresenceCells = new Map();
/** The row of a client that set no cells. */
const WATCHING = '{}';

const NO_USER = "The option user of the room's createPresence failed: the room's log says why.";
const NOT_YOURS =
  'Somebody else uses the connection id of this socket: give PartySocket another id, or none.';

/** The presence of a room: `PRES-1` to `PRES-10`. */
export class RoomPresence<Connection extends IdentifiedConnection, Input, Output> {
  readonly #room: PresenceRoom<Connection>;
  readonly #options: PresenceOptions<Connection, Input, Output>;
  readonly #members = new PresenceMembers<Connection>();
  readonly #presence: PresenceStore<PresenceMember<Connection>>;
  readonly #broadcast: PresenceBroadcast<Connection>;
  readonly #attachments: PresenceAttachments<Connection>;
  readonly #senders = new WeakMap<Connection, RateLimiter>();
  #isAwake = false;
  #isAsking = false;

  constructor(room: PresenceRoom<Connection>, options: PresenceOptions<Connection, Input, Output>) {
    this.#room = room;
    this.#options = options;
    this.#presence = new PresenceStore({ changed: (rows, author) => this.#changed(rows, author) });
    this.#broadcast = new PresenceBroadcast(room, this.#members, this.#presence);
    this.#attachments = new PresenceAttachments(room, this.#presence);
  }

  get store(): Store {
    this.#wake();
    return this.#presence.store;
  }

  /** Takes a frame. */
  received(connection: Connection, json: string): void {
    this.#wake();
    if (!this.#mayTake(connection, json.length)) return;
    const excess = excessOf(json, this.#rowBytes);
    if (excess !== undefined) {
      this.#takeRow(connection, json, NO_CELLS, { type: 'refused', error: excess });
      // The error needs no copy of so long a text.
      this.#members.of(connection)?.lastRows.set(connection, '');
      return;
    }
    const message = this.#decode(connection, json);
    switch (message?.type) {
      case 'row':
        this.#takeRow(connection, json, message.cells, this.#decide(message.cells));
        return;
      case 'check':
        this.#removeClosed();
        this.#askSilent();
        this.#broadcast.sign();
        return;
      case 'leave':
        this.#leave(connection);
        this.#attachments.remove(connection);
        return;
      case undefined:
    }
  }

  /** Looks for members that have left without a word. */
  garbageCollect(): void {
    this.#wake();
    this.#removeClosed();
    this.#askSilent();
  }

  /** Hears that a connection is gone, however it ended. */
  left(connection: Connection): void {
    this.#wake();
    this.#leave(connection);
  }

  get #rowBytes(): number {
    return this.#options.rowBytes ?? ROW_BYTES;
  }

  /** Rebuilds the rows from the attachments of connections, once after each wake of the room (`PRES-8`). */
  #wake(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    let hasSlept = false;
    for (const connection of this.#room.connections()) {
      const cells = this.#attachments.read(connection);
      if (cells === undefined) continue;
      hasSlept = true;
      const named = this.#nameUser(connection);
      if (named.type === 'failed') continue;
      this.#write(undefined, connection.id, cells, named.user);
      this.#members.add(connection.id, named.user?.id, connection, undefined);
    }
    if (hasSlept) this.#broadcast.picture();
  }

  /** Charges a connection for the characters that it sends, or makes the room send. Returns false if it is too much. */
  #mayTake(connection: Connection, length: number): boolean {
    let sender = this.#senders.get(connection);
    if (sender === undefined) this.#senders.set(connection, (sender = new RateLimiter()));
    const now = this.#room.now();
    if (sender.take(length, now, RATE)) return true;
    if (sender.mayTell(now)) {
      const message =
        'This connection sends more presence than the room takes: send the row again a little later.';
      this.#sendError(connection, { code: 'overloaded', message });
    }
    return false;
  }

  /** Returns undefined for a frame that does not decode, and answers it. */
  #decode(connection: Connection, json: string): PresenceFromClient | undefined {
    try {
      return fromClient.decode(json);
    } catch (thrown) {
      if (!(thrown instanceof TinyBasePartyKitError)) throw thrown;
      const error = { code: thrown.code, message: thrown.message };
      const isRow = json.startsWith('{') && !(thrown.cause instanceof SyntaxError);
      if (isRow) this.#takeRow(connection, json, NO_CELLS, { type: 'refused', error });
      // With an empty prefix, it may be the app's own frame.
      else if (this.#members.of(connection) !== undefined) this.#sendError(connection, error);
      return undefined;
    }
  }

  #decide(cells: PresenceCells): RowDecision {
    const decision = decideRow(cells, this.#options.schema, this.#rowBytes);
    if (decision.type === 'refused' && decision.cause !== undefined)
      this.#room.report(decision.cause);
    return decision;
  }

  #takeRow(
    connection: Connection,
    json: string,
    asked: PresenceCells,
    decision: RowDecision,
  ): void {
    const member = this.#members.of(connection);
    if (member === undefined) this.#join(connection, json, asked, decision);
    else {
      member.lastRows.set(connection, json);
      if (decision.type === 'taken') this.#write(member, member.id, decision.cells, undefined);
      this.#answer(connection, json, asked, decision);
    }
  }

  /** Answers a first row with the full picture (`PRES-1`). */
  #join(connection: Connection, json: string, asked: PresenceCells, decision: RowDecision): void {
    const { id } = connection;
    this.#removeClosed();
    const named = this.#nameUser(connection);
    if (named.type === 'failed') {
      this.#sendError(connection, { code: 'failed', message: NO_USER });
      return;
    }
    const { user } = named;
    if (!this.#mayShare(connection, user?.id)) {
      this.#sendError(connection, { code: 'forbidden', message: NOT_YOURS });
      return;
    }
    const rows = this.#presence.store.getRowCount(CONNECTIONS);
    if (!this.#mayTake(connection, rows * PICTURE_ROW_LENGTH)) return;
    const member = this.#members.add(id, user?.id, connection, json);
    const cells = decision.type === 'taken' ? decision.cells : this.#presence.connectionCells(id);
    this.#write(member, id, cells ?? NO_CELLS, user);
    this.#attachments.changed(member);
    this.#send(connection, { type: 'changes', changes: this.#presence.picture() });
    // A client that only watches sets no cells, so the schema does not apply to it.
    if (decision.type === 'taken' || json !== WATCHING)
      this.#answer(connection, json, asked, decision);
  }

  /** Returns false if the id of a connection is that of another user's: for presence, or for the gate. */
  #mayShare(connection: Connection, userId: string | undefined): boolean {
    const { id } = connection;
    const sharing = this.#members.withId(id);
    if (sharing !== undefined && sharing.userId !== userId) return false;
    const open = this.#room.connections().filter((other) => other.id === id);
    const sharers = sharing === undefined ? open : [...sharing.lastRows.keys()];
    const admitted = this.#room.userIdOf(connection);
    return sharers.every((other) => this.#room.userIdOf(other) === admitted);
  }

  /** Tells an author the room's version of its row, if it differs (`PRES-6`). */
  #answer(connection: Connection, of: string, asked: PresenceCells, decision: RowDecision): void {
    const cells = this.#presence.connectionCells(connection.id) ?? NO_CELLS;
    if (decision.type === 'taken' && areEqual(cells, asked)) return;
    const own = this.#presence.ownChanges(connection.id);
    const error = decision.type === 'refused' ? { error: decision.error } : {};
    this.#send(connection, { type: 'correction', own, of, ...error });
  }

  /** Removes the sockets that are closed. */
  #removeClosed(): void {
    const open = new Set(this.#room.connections());
    for (const connection of this.#members.connections())
      if (!open.has(connection)) this.#leave(connection);
  }

  /** Asks connections that were silent for long, and removes those that do not answer (`PRES-10`). */
  #askSilent(): void {
    const { silenceMilliseconds = SILENCE_MILLISECONDS, answerMilliseconds = ANSWER_MILLISECONDS } =
      this.#options;
    const now = this.#room.now();
    const silent = this.#members
      .connections()
      .map((connection) => ({ connection, sign: this.#lastSign(connection) }))
      .filter(({ sign }) => sign < now - silenceMilliseconds);
    if (silent.length === 0 || this.#isAsking) return;
    this.#isAsking = true;
    for (const { connection } of silent) this.#send(connection, { type: 'correction' });
    this.#room.after(answerMilliseconds, () => {
      this.#isAsking = false;
      for (const { connection, sign } of silent) {
        // Compared with itself: the clock may have been set meanwhile.
        const later = this.#lastSign(connection);
        if (later !== sign && later !== -Infinity) continue;
        if (this.#members.of(connection)?.lastRows.has(connection) !== true) continue;
        this.#leave(connection);
        this.#attachments.remove(connection);
        // A connection that is still there joins again.
        const changes = new ChangesBuilder();
        changes.deleteRow(CONNECTIONS, connection.id);
        this.#send(connection, { type: 'changes', changes });
      }
    });
  }

  /** Returns the time at which a connection was heard last; -Infinity if nothing tells it. */
  #lastSign(connection: Connection): number {
    return this.#room.heardAt(connection) ?? -Infinity;
  }

  #leave(connection: Connection): void {
    const member = this.#members.remove(connection);
    if (member === undefined) return;
    const { id, userId } = member;
    this.#transact(undefined, (store) => {
      // It may have come again, if the Store was busy.
      if (this.#members.withId(id) === undefined) store.delRow(CONNECTIONS, id);
      if (userId !== undefined && !this.#members.hasUser(userId)) store.delRow(USERS, userId);
    });
  }

  #write(
    author: PresenceMember<Connection> | undefined,
    id: string,
    cells: PresenceCells,
    user: UserRow | undefined,
  ): void {
    this.#transact(author, () => {
      if (user !== undefined) this.#presence.setUser(user.id, user.cells);
      this.#presence.setConnection(id, cells, author?.userId ?? user?.id);
    });
  }

  /**
   * Runs a transaction: later, while listeners of another one run, because the Store takes none then. Reports the error of a
   * listener of the app: the Store may then be unchanged.
   */
  #transact(author: PresenceMember<Connection> | undefined, actions: (store: Store) => void): void {
    let hasRun = false;
    try {
      this.#presence.write(author, (store) => {
        hasRun = true;
        actions(store);
      });
    } catch (error) {
      this.#room.report(error);
    }
    if (!hasRun) this.#room.after(0, () => this.#transact(author, actions));
  }

  /** Hears of every change to the Store, whoever made it. */
  #changed(rows: Iterable<string>, author: PresenceMember<Connection> | undefined): void {
    for (const id of rows) {
      const member = this.#members.withId(id);
      if (member === undefined) continue;
      this.#attachments.changed(member);
      if (member !== author) this.#broadcast.altered(member);
    }
    this.#broadcast.changed();
  }

  #nameUser(
    connection: Connection,
  ): { readonly type: 'named'; readonly user: UserRow | undefined } | { readonly type: 'failed' } {
    try {
      return { type: 'named', user: readUser(this.#options.user?.(connection)) };
    } catch (error) {
      this.#room.report(error);
      return { type: 'failed' };
    }
  }

  #sendError(connection: Connection, error: PresenceError): void {
    this.#send(connection, { type: 'correction', error });
  }

  #send(connection: Connection, message: PresenceFromRoom): void {
    this.#room.send(connection, fromRoom.letter, fromRoom.encode(message));
  }
}

function areEqual(one: PresenceCells, other: PresenceCells): boolean {
  if (one.size !== other.size) return false;
  for (const [cell, leaf] of one) if (other.get(cell) !== leaf) return false;
  return true;
}
