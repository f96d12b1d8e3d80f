import type { FeatureRoom, RoomCommit, TakenCall } from '../../room/room-feature.ts';
import type { LifecycleHooks, TakenMessage } from './lifecycle-hooks.ts';
import { storeChangesOf } from './store-changes.ts';

/** Calls `onRoomMessage` for each push that changed something, once it is durable, and for each call (`SAVE-9`). */
export class TakenMessages<Connection> {
  readonly #room: Pick<FeatureRoom<Connection>, 'release'>;
  readonly #hooks: LifecycleHooks<Connection, never>;
  readonly #report: (error: unknown) => void;

  constructor(
    room: Pick<FeatureRoom<Connection>, 'release'>,
    hooks: LifecycleHooks<Connection, never>,
    report: (error: unknown) => void,
  ) {
    this.#room = room;
    this.#hooks = hooks;
    this.#report = report;
  }

  committed({ cursor, changes, origin }: RoomCommit<Connection, unknown>): void {
    if (this.#hooks.onRoomMessage === undefined || !('peer' in origin)) return;
    const { version } = cursor;
    const { socket } = origin.peer.connection;
    this.#room.release({
      onReleased: () =>
        this.taken({ type: 'push', version, changes: storeChangesOf(changes) }, socket),
      onLost: () => undefined,
      waitsForSync: true,
    });
  }

  taken(message: TakenMessage | TakenCall, connection: Connection): void {
    if (this.#hooks.onRoomMessage !== undefined) void this.#call(message, connection);
  }

  async #call(message: TakenMessage, connection: Connection): Promise<void> {
    try {
      await this.#hooks.onRoomMessage?.(message, connection);
    } catch (error) {
      this.#report(error);
    }
  }
}
