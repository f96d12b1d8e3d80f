import type { EventsOptions } from '../../src/server/features/events/index.ts';
import { createEvents, type RoomEvents } from '../../src/server/features/events/index.ts';
import { FakeRoomHost, settle, type FakeConnection } from './fake-connection.ts';
import { StrictStorage } from './strict-storage.ts';

/** A fake connection with an id. */
export type Caller = FakeConnection & { id: string };

/** The events of a room whose types do not matter. */
type AnyEvents = {
  readonly broadcast: ((name: string, data?: unknown) => void) &
    Record<string, (data?: unknown) => void>;
  to(isMeant: (connection: Caller) => boolean): AnyEvents['broadcast'];
  send(connection: Caller, name: string, data?: unknown): void;
};

/** A real room with events, whose time and disk are manual. */
export class EventfulRoom {
  readonly host: FakeRoomHost;
  readonly storage: StrictStorage;
  /** Set: the disk holds everything back. */
  isHeld = false;
  events: AnyEvents;
  readonly #declarations: (room: EventfulRoom) => object;
  readonly #options: EventsOptions | undefined;
  readonly #held: (() => void)[] = [];

  constructor(
    declarations: (room: EventfulRoom) => object,
    options?: EventsOptions,
    hostOptions: ConstructorParameters<typeof FakeRoomHost>[0] = {},
  ) {
    this.#declarations = declarations;
    this.#options = options;
    this.storage = new StrictStorage({
      defer: (run) => {
        if (this.isHeld) this.#held.push(run);
        else run();
      },
    });
    this.host = new FakeRoomHost(hostOptions, this.storage);
    this.events = this.#attach();
  }

  /** A connection of an app without a persister. */
  connect(id: string): Caller {
    return Object.assign(this.host.connect(), { id });
  }

  /** A connection of a client that is live. The room has a Store from then on. */
  async join(id: string): Promise<Caller> {
    await this.host.seed({ v: 0 });
    return Object.assign(await this.host.join(id), { id });
  }

  /** Everything that the disk held back happens. */
  async letGo(): Promise<void> {
    this.isHeld = false;
    for (const run of this.#held.splice(0)) run();
    await settle();
  }

  /** The room loses its memory, and makes its events anew. */
  hibernate(...callers: readonly Caller[]): Caller[] {
    const woken = this.host.hibernate(...callers);
    this.events = this.#attach();
    return woken.map((connection, index) =>
      Object.assign(connection, { id: callers[index]?.id ?? '' }),
    );
  }

  #attach(): AnyEvents {
    const made: unknown = createEvents(
      this.host.room as never,
      this.#declarations(this) as never,
      this.#options,
    ) satisfies RoomEvents<never, never>;
    return made as AnyEvents;
  }
}

/** The frames that a connection heard since the last call. */
export const heard = (connection: FakeConnection): string[] => connection.frames.splice(0);

/** The code and message of the failure in a frame `v[id,null,{…}]`. */
export const failureOf = (frame: string | undefined): { code: string; message: string } => {
  const [, , error] = JSON.parse(frame?.slice(1) ?? '[]') as unknown[];
  return error as { code: string; message: string };
};
