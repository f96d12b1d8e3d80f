import type { FeatureRoom } from '../../room/room-feature.ts';
import type { LifecycleHooks } from './lifecycle-hooks.ts';

/** The slot of a connection that `onUserConnected` was called for, so that the room knows it after a hibernation. */
const SLOT = 'user';

/** Calls `onUserConnected` and `onUserDisconnected`: once each for a connection, in this order (`SAVE-8`). */
export class UserVisits<Connection extends object> {
  readonly #room: Pick<FeatureRoom<Connection>, 'readSlot' | 'writeSlot'>;
  readonly #hooks: LifecycleHooks<Connection, never>;
  readonly #report: (error: unknown) => void;
  readonly #here = new WeakSet<Connection>();
  /** The last call for each connection. */
  readonly #calls = new WeakMap<Connection, Promise<void>>();

  constructor(
    room: Pick<FeatureRoom<Connection>, 'readSlot' | 'writeSlot'>,
    hooks: LifecycleHooks<Connection, never>,
    report: (error: unknown) => void,
  ) {
    this.#room = room;
    this.#hooks = hooks;
    this.#report = report;
  }

  admitted(connection: Connection): void {
    const hooks = this.#hooks;
    if (hooks.onUserConnected === undefined && hooks.onUserDisconnected === undefined) return;
    this.#here.add(connection);
    this.#room.writeSlot(connection, SLOT, 1);
    this.#call(connection, () => hooks.onUserConnected?.(connection), this.#calls.get(connection));
  }

  left(connection: Connection): void {
    if (this.#hooks.onUserDisconnected === undefined) return;
    // One that was refused was never here.
    const isHere = this.#here.delete(connection) || this.#room.readSlot(connection, SLOT) === 1;
    if (!isHere) return;
    // Its socket may still be there after a hibernation: its peer need not answer the close.
    this.#room.writeSlot(connection, SLOT, null);
    // Later: the room may notice it within a write of its own, and the Store ignores what is written there.
    const before = this.#calls.get(connection) ?? Promise.resolve();
    this.#call(connection, () => this.#hooks.onUserDisconnected?.(connection), before);
  }

  /** Calls a hook after another one, or at once. Nothing waits for it. */
  #call(connection: Connection, hook: () => unknown, before: Promise<void> | undefined): void {
    const call = async (): Promise<void> => {
      try {
        await hook();
      } catch (error) {
        this.#report(error);
      }
    };
    this.#calls.set(connection, before === undefined ? call() : before.then(call));
  }
}
