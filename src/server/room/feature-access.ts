import type { Store } from 'tinybase';

import type { ErrorCode } from '../../protocol/errors.ts';
import { encodeFrame } from '../../protocol/frame.ts';
import type { Cursor } from '../../protocol/messages.ts';

import type { Waiter } from '../history/durability-gate.ts';
import type { RoomPersistence } from '../history/room-persistence.ts';
import type { KeyValueStorage } from '../storage/key-value-storage.ts';
import type { Peer } from './peer.ts';
import type { ErrorReporter } from './error-reporter.ts';
import type { RoomAdministration } from './room-administration.ts';
import type { FeatureRoom, RoomSnapshot, TakenCall } from './room-feature.ts';
import type { RoomParts } from './room-parts.ts';

/** The part of a room that features and the gate may use. */
export class FeatureAccess<Connection, Request> implements FeatureRoom<Connection> {
  readonly #parts: RoomParts<Connection, Request>;
  readonly #persistence: RoomPersistence<Connection, Request>;
  readonly #administration: RoomAdministration<Connection, Request>;
  /** The waiters that wait for the end of a transaction, in order, each with the state that it waits in. */
  readonly #deferred: { readonly waiter: Waiter; readonly state: object }[] = [];

  constructor(
    parts: RoomParts<Connection, Request>,
    persistence: RoomPersistence<Connection, Request>,
    administration: RoomAdministration<Connection, Request>,
  ) {
    this.#parts = parts;
    this.#persistence = persistence;
    this.#administration = administration;
  }

  get roomId(): string {
    return this.#parts.settings.roomId;
  }

  get store(): Store {
    return this.#parts.observed.store;
  }

  get storage(): KeyValueStorage {
    return this.#parts.host.storage;
  }

  get storagePrefix(): string {
    return this.#parts.settings.storagePrefix;
  }

  get isLoaded(): boolean {
    return this.#persistence.current !== undefined;
  }

  get losses(): number {
    return this.#persistence.losses;
  }

  get cursor(): Cursor | undefined {
    return this.#persistence.current?.cursor;
  }

  async snapshot(since: Cursor | undefined): Promise<RoomSnapshot | undefined> {
    const { writer, observed } = this.#parts;
    while (!writer.isFree()) await writer.whenFree();
    const state = this.#persistence.current;
    if (state?.hasStore !== true) return undefined;
    const { cursor } = state;
    const changes = since && state.history.since(since);
    const snapshot = { cursor, content: observed.store.getContent(), changes };
    return (await state.durability.whenDurable()) ? snapshot : undefined;
  }

  async dispose(isWanted: () => boolean): Promise<boolean> {
    return await this.#parts.queue.add(async () => {
      if (this.#persistence.current?.durability.isSettled !== true || !isWanted()) return false;
      await this.#persistence.dispose();
      return true;
    });
  }

  taken(call: TakenCall, connection: Connection): void {
    this.#parts.features.taken(call, connection);
  }

  connections(): readonly Connection[] {
    return this.#parts.peers.admitted().map(({ connection }) => connection.socket);
  }

  userIdOf(caller: Connection): string | undefined {
    return this.#parts.features.userIdOf(caller);
  }

  garbageCollect(): Promise<void> {
    return this.#administration.garbageCollect();
  }

  send(connection: Connection, letter: string, json: string): void {
    const { delivery, settings } = this.#parts;
    const peer = this.#peer(connection);
    if (peer !== undefined)
      delivery.deliver(peer, encodeFrame(settings.messagePrefix, letter, json));
  }

  release(waiter: Waiter): void {
    const safe = new ReportingWaiter(waiter, this.#parts.reporter);
    const state = this.#persistence.current;
    if (state === undefined) safe.onLost();
    else if (this.#deferred.length === 0 && this.#parts.writer.isFree())
      state.durability.defer(safe);
    else this.#defer(safe, state);
  }

  /** Defers a waiter while a transaction of the room's own code is open, because its commit is not ordered yet. */
  #defer(waiter: Waiter, state: object): void {
    this.#deferred.push({ waiter, state });
    if (this.#deferred.length > 1) return;
    void this.#parts.writer.whenFree().then(() => {
      const { current } = this.#persistence;
      for (const deferred of this.#deferred.splice(0)) {
        if (current !== undefined && current === deferred.state)
          current.durability.defer(deferred.waiter);
        else deferred.waiter.onLost();
      }
    });
  }

  represent<T>(caller: Connection, code: () => T): readonly [outcome: T, end: () => void] {
    return this.#parts.represented.run(caller, code);
  }

  charge(connection: Connection, length: number): void {
    this.#peer(connection)?.allowance.spend(length);
  }

  hold(connection: Connection, length: number): void {
    this.#peer(connection)?.held.addFixed(length);
  }

  isRefused(connection: Connection): boolean {
    const peer = this.#peer(connection);
    return peer === undefined || peer.isGone || peer.standing !== 'admitted';
  }

  readSlot(connection: Connection, slot: string): unknown {
    return this.#parts.host.connectionOf(connection)?.readSlot(slot);
  }

  writeSlot(connection: Connection, slot: string, value: unknown): void {
    this.#parts.host.connectionOf(connection)?.writeSlot(slot, value);
  }

  heardAt(connection: Connection): number | undefined {
    return this.#peer(connection)?.heard.kept;
  }

  tell(connection: Connection, code: ErrorCode, message: string): void {
    const { delivery } = this.#parts;
    const peer = this.#peer(connection);
    if (peer !== undefined) delivery.sendError(peer, code, message);
  }

  refuse(connection: Connection, code: ErrorCode, message: string): void {
    const peer = this.#peer(connection);
    if (peer !== undefined) this.#parts.delivery.refuse(peer, code, message);
  }

  now(): number {
    return this.#parts.host.now();
  }

  after(milliseconds: number, callback: () => void): () => void {
    return this.#parts.host.after(milliseconds, callback);
  }

  report(error: unknown): void {
    this.#parts.reporter.report(error, 'feature');
  }

  #peer(connection: Connection): Peer<Connection> | undefined {
    const known = this.#parts.host.connectionOf(connection);
    return known && this.#parts.peers.of(known);
  }
}

/** Reports the errors of a feature, so that the durability gate can call its other waiters. */
class ReportingWaiter implements Waiter {
  readonly #waiter: Waiter;
  readonly #reporter: ErrorReporter;
  readonly waitsForSync: boolean;

  constructor(waiter: Waiter, reporter: ErrorReporter) {
    this.#waiter = waiter;
    this.#reporter = reporter;
    this.waitsForSync = waiter.waitsForSync === true;
  }

  onReleased(): void {
    this.#call('onReleased');
  }

  onLost(): void {
    this.#call('onLost');
  }

  #call(name: 'onReleased' | 'onLost'): void {
    try {
      this.#waiter[name]();
    } catch (error) {
      this.#reporter.report(error, 'feature');
    }
  }
}
