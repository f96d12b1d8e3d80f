import { splitFrame } from '../../src/protocol/frame.ts';
import { ChangesBuilder, type Changes } from '../../src/protocol/changes.ts';
import { decodeRoomMessage, encodeClientMessage, encodePing } from '../../src/protocol/codec.ts';
import { VALUES, type Leaf } from '../../src/protocol/leaf.ts';
import type { Cursor, Hello, RoomMessage, Welcome } from '../../src/protocol/messages.ts';
import type { KeyValueStorage } from '../../src/server/storage/key-value-storage.ts';
import type { RoomConnection, RoomHost } from '../../src/server/room/room-host.ts';
import { Room } from '../../src/server/room/room.ts';
import type { RoomOptions } from '../../src/server/room/room-options.ts';
import { StrictStorage } from './strict-storage.ts';

const ATTACHMENT_LENGTH = 1_024;

/** Lets everything happen that needs no time to pass. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** 22 characters that are a client id. */
export const clientId = (name: string): string => name.padEnd(22, '_');

/** Changes in short: `{table: {row: {cell: leaf}}}` or a Value by its id; undefined deletes a leaf, row or table. */
export type ChangesInShort = Record<
  string,
  Leaf | undefined | Record<string, undefined | Record<string, Leaf | undefined>>
>;

/** A Value that is deleted cannot be told from a table that is: this deletes the Value. */
export const valueChanges = (values: Record<string, Leaf | undefined>): Changes => {
  const builder = new ChangesBuilder();
  for (const [id, leaf] of Object.entries(values)) builder.setLeaf(VALUES, '', id, leaf);
  return builder;
};

/** Changes as the protocol has them. */
export const changesOf = (inShort: ChangesInShort): Changes => {
  const builder = new ChangesBuilder();
  for (const [table, rows] of Object.entries(inShort)) {
    if (rows === undefined) builder.deleteTable(table);
    else if (typeof rows !== 'object' || rows === null) builder.setLeaf(VALUES, '', table, rows);
    else {
      for (const [row, cells] of Object.entries(rows)) {
        if (cells === undefined) builder.deleteRow(table, row);
        else
          for (const [cell, leaf] of Object.entries(cells)) builder.setLeaf(table, row, cell, leaf);
      }
    }
  }
  return builder;
};

/** The same the other way round, for comparing. */
export const inShort = (changes: Changes | undefined): unknown => {
  if (changes === undefined) return undefined;
  const deletedRows = [...changes.deletedRows].map(([table, rows]) => [
    table,
    rows === 'all' ? rows : [...rows],
  ]);
  const leaves: unknown[] = [];
  changes.leaves.forEach((leaf, table, row, cell) => {
    leaves.push([...(table === VALUES ? [cell] : [table, row, cell]), leaf]);
  });
  return { ...(deletedRows.length > 0 && { deletedRows }), leaves };
};

/** The client's end of a socket whose other end a room has: says what a test tells it to, and keeps what it hears. */
export class FakeConnection implements RoomConnection<FakeConnection> {
  readonly socket: FakeConnection = this;
  /** The messages that came, each as a frame of its own. */
  readonly frames: string[] = [];
  /** The number of frames that they came in. */
  frameCount = 0;
  closed: { readonly code: number; readonly reason: string } | undefined;
  get isClosedByRoom(): boolean {
    return this.closed !== undefined;
  }
  /** When its host answered a ping of it for the room. */
  pingedAt: number | undefined;
  /** As JSON: that is how it survives hibernation. */
  attachment: string | undefined;
  #written: string | undefined;
  readonly #host: FakeRoomHost;

  constructor(host: FakeRoomHost) {
    this.#host = host;
  }

  send(frame: string): void {
    if (this.closed !== undefined) return;
    this.frames.push(...splitFrame(frame));
    this.frameCount += 1;
  }

  close(code: number, reason: string): void {
    this.closed ??= { code, reason };
    this.#host.open.delete(this);
  }

  readSlot(slot: string): unknown {
    return (JSON.parse(this.attachment ?? '{}') as Record<string, unknown>)[slot];
  }

  writeSlot(slot: string, value: unknown): void {
    const slots: unknown = JSON.parse(this.#written ?? this.attachment ?? '{}');
    const json = JSON.stringify(Object.assign(Object(slots), { [slot]: value ?? undefined }));
    if (json.length > ATTACHMENT_LENGTH) throw new Error('The attachment is too large.');
    this.#written = json;
    this.attachment = json;
  }

  restoreSlots(): void {
    this.attachment = this.#written ?? this.attachment;
  }

  /** All that was heard since the last call. */
  hear(): RoomMessage[] {
    return this.frames.splice(0).map((frame) => {
      const message = decodeRoomMessage(this.#host.prefix, frame);
      if (message === undefined) throw new Error(`The room sent what is no message: ${frame}`);
      return message;
    });
  }

  /** The types of all that was heard since the last call. */
  hearTypes(): string[] {
    return this.hear().map(({ type }) => type);
  }

  /** What was heard since the last call, which is one message of that type. */
  hearOne<T extends RoomMessage['type']>(type: T): Extract<RoomMessage, { type: T }> {
    const heard = this.hear();
    const [message] = heard;
    if (heard.length !== 1 || message?.type !== type) {
      throw new Error(`Instead of one ${type}, this was heard: ${JSON.stringify(heard)}`);
    }
    return message as Extract<RoomMessage, { type: T }>;
  }

  async say(frame: unknown): Promise<void> {
    void this.#host.room.receive(this, frame);
    await settle();
  }

  async hello(hello: Partial<Hello> = {}): Promise<void> {
    await this.say(
      encodeClientMessage(this.#host.prefix, {
        type: 'hello',
        clientId: clientId('ada'),
        generation: 1,
        cursor: undefined,
        nextPush: 1,
        ackedPush: 0,
        ...hello,
      }),
    );
  }

  async push(number: number, changes: Changes | ChangesInShort): Promise<void> {
    await this.say(
      encodeClientMessage(this.#host.prefix, {
        type: 'push',
        number,
        changes: isChanges(changes) ? changes : changesOf(changes),
      }),
    );
  }

  async stock(changes: Changes | ChangesInShort): Promise<void> {
    await this.say(
      encodeClientMessage(this.#host.prefix, {
        type: 'stock',
        changes: isChanges(changes) ? changes : changesOf(changes),
      }),
    );
  }

  async ping(): Promise<void> {
    await this.say(encodePing(this.#host.prefix));
  }
}

const isChanges = (changes: Changes | ChangesInShort): changes is Changes =>
  changes['leaves'] !== undefined && changes['deletedRows'] instanceof Map;

/** A host for one room, all of whose time is manual. */
export class FakeRoomHost implements RoomHost<FakeConnection> {
  readonly open: Set<FakeConnection> = new Set();
  readonly errors: { readonly error: unknown; readonly where: string }[] = [];
  readonly prefix: string = '';
  storage: KeyValueStorage;
  room: Room<FakeConnection, unknown>;
  time = 1_000_000;
  /** The error of its clock. Timers do not depend on it. */
  clockSkew = 0;
  /** Set it for a host that delivers no messages during a write. */
  takeTurn?: () => Promise<void>;
  readonly #options: RoomOptions<FakeConnection, unknown>;
  readonly #timers = new Set<{ readonly due: number; readonly callback: () => void }>();
  #ids = 0;

  constructor(
    options: RoomOptions<FakeConnection, unknown> = {},
    storage: KeyValueStorage = new StrictStorage(),
  ) {
    this.storage = storage;
    this.#options = options;
    this.room = this.#createRoom();
  }

  connections(): Iterable<FakeConnection> {
    return this.open;
  }

  connectionOf(connection: FakeConnection): FakeConnection {
    return connection;
  }

  now(): number {
    return this.time + this.clockSkew;
  }

  randomId(): string {
    this.#ids += 1;
    return `epoch${this.#ids}`;
  }

  after(milliseconds: number, callback: () => void): () => void {
    const timer = { due: this.time + milliseconds, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** The number of timers that are set. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets time pass. */
  async pass(milliseconds: number): Promise<void> {
    this.time += milliseconds;
    for (const timer of this.#timers) {
      if (timer.due <= this.time && this.#timers.delete(timer)) timer.callback();
    }
    await settle();
  }

  connect(): FakeConnection {
    const connection = new FakeConnection(this);
    this.open.add(connection);
    return connection;
  }

  disconnect(connection: FakeConnection): void {
    this.open.delete(connection);
    this.room.disconnected(connection);
  }

  /** The room loses its memory; sockets stay, as other objects with the same attachment. Returns them in order. */
  hibernate(...connections: readonly FakeConnection[]): FakeConnection[] {
    const woken = connections.map((connection) => {
      this.open.delete(connection);
      const again = this.connect();
      again.attachment = connection.attachment;
      return again;
    });
    this.room = this.#createRoom();
    return woken;
  }

  /** Gives the room its initial content. */
  async seed(content: ChangesInShort): Promise<'created' | 'exists'> {
    const leaves = changesOf(content).leaves as never;
    const { type } = await this.room.seed(leaves, 'request');
    return type;
  }

  async cursor(): Promise<Cursor> {
    return (await this.room.content()).cursor;
  }

  /** The durable content. */
  async content(): Promise<unknown> {
    const { json } = await this.room.content();
    return json === undefined ? undefined : JSON.parse(json);
  }

  /** A connection that has said hello with the cursor of the room, and heard the welcome. */
  async join(name: string, hello: Partial<Hello> = {}): Promise<FakeConnection> {
    const connection = this.connect();
    await connection.hello({ clientId: clientId(name), cursor: await this.cursor(), ...hello });
    const welcome: Welcome = connection.hearOne('welcome');
    if (welcome.changes === undefined) throw new Error('The room asked to load.');
    return connection;
  }

  #createRoom(): Room<FakeConnection, unknown> {
    return new Room<FakeConnection, unknown>(this, {
      onRoomError: (error, where) => this.errors.push({ error, where }),
      ...this.#options,
    });
  }
}
