import { setImmediate as nextTurn } from 'node:timers/promises';

import { createStore, type Store } from 'tinybase';

import { splitFrame } from '../../../src/protocol/frame.ts';
import { DurableOutbox, type OfflineDevice } from '../../../src/client/offline/durable-outbox.ts';
import type { Refusal } from '../../../src/client/replica/refusal.ts';
import type { LoadedContent } from '../../../src/protocol/messages.ts';
import type { SessionPorts, SocketClosing } from '../../../src/client/session/session-ports.ts';
import { createSyncSession, type SyncSession } from '../../../src/client/session/sync-session.ts';
import type { Sync } from '../../../src/client/session/sync-status.ts';
import { LOST } from '../../support/lost-socket.ts';
import type { Changes } from '../../../src/protocol/changes.ts';
import {
  decodeChanges,
  decodeClientMessage,
  decodeContent,
  encodeChanges,
  encodeContent,
  encodeRoomMessage,
} from '../../../src/protocol/codec.ts';
import { ERRORS, TinyBasePartyKitError, type ErrorCode } from '../../../src/protocol/errors.ts';
import type { Leaf } from '../../../src/protocol/leaf.ts';
import type { LeafMap } from '../../../src/protocol/leaf-map.ts';
import type {
  Hello,
  Push,
  RoomMessage,
  SeedAnswer,
  Welcome,
} from '../../../src/protocol/messages.ts';

/** Every frame of these tests begins with this. */
export const PREFIX = 'x/';

/** In milliseconds, as all times are. */
export const SECOND: number = 1000;

/** An error as requests fail with. */
export const failure = (code: ErrorCode): TinyBasePartyKitError =>
  new TinyBasePartyKitError(code, code);

/** Returns the state of a promise as of now. */
export async function stateOf(
  promise: Promise<unknown>,
): Promise<'settled' | 'rejected' | 'waiting'> {
  const waiting = nextTurn('waiting' as const);
  const settled = promise.then(
    () => 'settled' as const,
    () => 'rejected' as const,
  );
  return await Promise.race([settled, waiting]);
}

/** Time that passes when a test says so. */
export class ManualTime {
  #now = 0;
  #timers: { readonly due: number; readonly callback: () => void }[] = [];

  readonly after = (milliseconds: number, callback: () => void): (() => void) => {
    const timer = { due: this.#now + milliseconds, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  };

  get now(): number {
    return this.#now;
  }

  /** The number of timers that wait. */
  get waiting(): number {
    return this.#timers.length;
  }

  /** Lets time pass, and all that is due in it happen. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    for (;;) {
      await nextTurn();
      const [next] = this.#timers.toSorted((one, other) => one.due - other.due);
      if (next === undefined || next.due > end) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = next.due;
      next.callback();
    }
    this.#now = end;
  }
}

/** A request that waits for the test to answer it. */
interface Request<T> {
  readonly answer: (value: T) => void;
  readonly fail: (error: unknown) => void;
}

class Requests<T> {
  readonly waiting: Request<T>[] = [];
  count = 0;

  make(): Promise<T> {
    this.count++;
    return new Promise((answer, fail) => this.waiting.push({ answer, fail }));
  }

  /** The oldest request that waits. */
  take(): Request<T> {
    const request = this.waiting.shift();
    if (request === undefined) throw new Error('nothing was requested');
    return request;
  }
}

/** Changes, from their JSON. */
export const changesOf = (json: unknown): Changes => decodeChanges(JSON.stringify(json));

/** Content, from its JSON. */
export const contentOf = (json: unknown): LeafMap<Leaf> => {
  const content = decodeContent(JSON.stringify(json));
  if (content === undefined) throw new Error('no content');
  return content;
};

/** The address of the room. */
export const ADDRESS = 'ws://host.test/room';

/** The address of another room. */
export const OTHER_ADDRESS = 'ws://host.test/other';

/** A session and the room that the test plays. */
export class ScriptedRoom {
  readonly store: Store;
  readonly session: SyncSession;
  readonly time: ManualTime = new ManualTime();
  readonly gets: Requests<LoadedContent> = new Requests();
  readonly puts: Requests<SeedAnswer | undefined> = new Requests();
  /** The parameter of each GET that no cache has seen. */
  readonly uniques: (string | undefined)[] = [];
  /** Tells of bytes of the latest GET. */
  heardBytes: (bytes: number) => void = () => undefined;
  readonly putContents: unknown[] = [];
  /** The room of each request. */
  readonly requested: string[] = [];
  readonly syncs: Sync[] = [];
  readonly refusals: Refusal[] = [];
  readonly errors: unknown[] = [];
  onRefused: () => void = () => undefined;
  /** The frames sent while the socket was not open. There must be none. */
  readonly queued: string[] = [];
  /** The outbox of the session, if it has a device. */
  outbox: DurableOutbox | undefined;
  readonly stops: (readonly [number, string])[] = [];
  /** The close of the socket: its code and reason, or by the app. */
  closing: SocketClosing = LOST;
  reconnects = 0;
  /** The URL of the room that the socket is pointed at. While it is open, it stays connected to the one before. */
  address: string = ADDRESS;
  isOpen = false;
  #connected: string | undefined;
  #frames: string[] = [];
  #soon: (() => void)[] = [];
  #ids = 0;

  constructor(
    options: Partial<Pick<SessionPorts, 'firstGeneration' | 'random'>> & {
      /** True if code goes on until {@link ScriptedRoom.endTurn}. */
      isTurnHeld?: boolean;
      readonly store?: Store;
      readonly device?: OfflineDevice;
      readonly firstId?: number;
    } = {},
  ) {
    const { store = createStore(), device, firstId = 0, ...ports } = options;
    this.#ids = firstId;
    this.store = store;
    this.session = createSyncSession(
      store,
      PREFIX,
      {
        firstGeneration: 0,
        random: () => 0.5,
        ...ports,
        ...(device && {
          createOutbox: (owner) => (this.outbox = new DurableOutbox(device, owner)),
        }),
        socket: {
          isOpen: () => this.isOpen && (this.#connected ?? this.address) === this.address,
          address: () => this.address,
          closing: () => this.closing,
          send: (frame) => (this.isOpen ? this.#frames : this.queued).push(frame),
          reconnect: () => (this.reconnects += 1),
          stop: ({ code }) => this.stops.push([ERRORS[code].closeCode, code]),
        },
        endpoint: {
          get: (unique, onBytes) => {
            this.heardBytes = onBytes ?? this.heardBytes;
            this.uniques.push(unique);
            this.requested.push(this.session.room);
            return this.gets.make();
          },
          put: (content) => {
            this.putContents.push(JSON.parse(encodeContent(content)));
            this.requested.push(this.session.room);
            return this.puts.make();
          },
        },
        after: this.time.after,
        now: () => this.time.now,
        soon: (callback) => {
          if (options.isTurnHeld === true) this.#soon.push(callback);
          else callback();
        },
        randomId: () => String(this.#ids++).padStart(22, 'c'),
      },
      {
        onSync: (sync) => this.syncs.push(sync),
        onRefused: (refused) => {
          this.refusals.push(...refused);
          this.onRefused();
        },
        onError: (error) => this.errors.push(error),
      },
      { applying: () => undefined, sending: () => undefined },
    );
  }

  /** The code that runs has ended. */
  endTurn(): void {
    for (const callback of this.#soon.splice(0)) callback();
  }

  /** The frames sent since the last call, as their messages. */
  frames(): readonly (readonly string[])[] {
    return this.#frames.splice(0).map(splitFrame);
  }

  /** Everything sent since the last call, as the room would decode it. */
  sent(): readonly ReturnType<typeof decodeClientMessage>[] {
    return this.frames()
      .flat()
      .map((frame) => decodeClientMessage(PREFIX, frame));
  }

  /** The one message sent since the last call, which is a hello. */
  hello(): Hello {
    const [hello, ...others] = this.sent();
    if (hello?.type !== 'hello' || others.length > 0) {
      throw new Error(`not one hello: ${JSON.stringify([hello, ...others])}`);
    }
    return hello;
  }

  /** Pushes sent since the last call, by number; there was nothing else. */
  pushes(): readonly (readonly [number, unknown])[] {
    return this.sent().map((message) => {
      if (message?.type !== 'push') throw new Error(`not a push: ${JSON.stringify(message)}`);
      return [message.number, jsonOf(message)];
    });
  }

  open(): void {
    this.isOpen = true;
    this.#connected = this.address;
    this.session.opened();
  }

  /** The app points the socket at another room, and it connects there. */
  moveToAnotherRoom(): void {
    this.close();
    this.address = OTHER_ADDRESS;
    this.open();
  }

  close(closing: Partial<SocketClosing> = {}): void {
    this.isOpen = false;
    this.#connected = undefined;
    this.closing = { ...LOST, ...closing };
    this.session.closed();
  }

  receive(message: RoomMessage): void {
    this.session.received(encodeRoomMessage(PREFIX, message));
  }

  welcome(welcome: Partial<Welcome> & Pick<Welcome, 'generation'>): void {
    this.receive({
      type: 'welcome',
      cursor: { epoch: 'e', version: 1 },
      lastPush: 0,
      limits: { framePushBytes: 1000, pushBytes: 10_000 },
      changes: changesOf([{}, {}]),
      ...welcome,
    });
  }

  commit(version: number, json: unknown): void {
    this.receive({ type: 'commit', version, changes: changesOf(json) });
  }

  ack(number: number, version: number, correction?: unknown): void {
    this.receive({
      type: 'ack',
      number,
      version,
      isCommit: true,
      correction: correction === undefined ? undefined : changesOf(correction),
      reason: correction === undefined ? undefined : 'hook',
    });
  }

  async answerGet(version: number | undefined, content?: unknown, epoch = 'e'): Promise<void> {
    this.gets.take().answer({
      cursor: version === undefined ? undefined : { epoch, version },
      content: content === undefined ? undefined : contentOf(content),
    });
    await nextTurn();
  }

  async failGet(error: unknown): Promise<void> {
    this.gets.take().fail(error);
    await nextTurn();
  }

  /** Brings the session to the phase live at version 1 of a room with this content. */
  async live(content: unknown = [{}, {}]): Promise<void> {
    void this.session.follow();
    void this.session.startSaving();
    await this.answerGet(1, content);
    if (!this.isOpen) this.open();
    this.welcome({ generation: this.hello().generation });
  }
}

/** The changes of a push as they are on the wire. */
export function jsonOf({ changes }: Pick<Push, 'changes'>): unknown {
  return JSON.parse(encodeChanges(changes));
}
