import type { Store } from 'tinybase';

import {
  decodeClientMessage,
  decodeContent,
  decodeLoadedContent,
  decodeSeedAnswer,
} from '../../src/protocol/codec.ts';
import { joinFrames, splitFrame } from '../../src/protocol/frame.ts';
import type { Leaf } from '../../src/protocol/leaf.ts';
import { LeafMap } from '../../src/protocol/leaf-map.ts';
import { readContent } from '../../src/protocol/store-access.ts';
import type { HttpBody } from '../../src/server/http/http-body.ts';
import {
  answerStoreRequest,
  DEFAULT_RESPONSE_HEADERS,
  type StoreRequest,
} from '../../src/server/http/store-endpoint.ts';
import { PushAssembly } from '../../src/server/room/push-assembly.ts';
import type { RoomConnection, RoomHost } from '../../src/server/room/room-host.ts';
import type { RoomLimits } from '../../src/server/room/room-options.ts';
import type { StorageSizes } from '../../src/server/storage/storage-sizes.ts';
import type { Branch } from './journal.ts';
import type { Mutant } from './mutant.ts';
import type { RoomDocument } from '../../src/protocol/room-handle.ts';
import type { HostAlarms } from '../../src/server/features/lifecycle/host-alarms.ts';
import { RoomLifecycle } from '../../src/server/features/lifecycle/room-lifecycle.ts';
import { RoomId } from '../../src/server/hosts/room-id.ts';
import { Room } from '../../src/server/room/room.ts';
import type { Choices } from './choices.ts';
import type { Disk, DiskCopy } from './disk.ts';
import { asRead, edit, isPoison, mayRollBack, type UniqueLeaves } from './edits.ts';
import type { Http, HttpAnswer, HttpRequest, HttpServer } from './http.ts';
import type { Network, RoomEnd, Wire } from './network.ts';
import { Patches } from './patches.ts';
import type { Rights } from './rights.ts';
import type { AppPorts, SimAlarms } from './sim-alarms.ts';
import type { SimCalls } from './sim-calls.ts';
import type { SimDatabase } from './sim-database.ts';
import { heardIdOf, type SimGate } from './sim-gate.ts';
import { LOCK_CELL, LOCKED_TABLE, type SimHooks } from './sim-hooks.ts';
import type { StoreVariant } from './store-variants.ts';
import { PropertyFailure, type Occurrence, type Source, type World } from './world.ts';

/** Of a push that comes in parts, the room's engine reads the whole. */
new Patches().replace(
  PushAssembly.prototype,
  'takeWhole',
  (takeWhole) =>
    function readWhole(this: PushAssembly) {
      const json = takeWhole.call(this);
      return json === undefined ? undefined : asRead(json);
    },
);

const ROOM_ID = 'the room';
/** The pause after which a host calls a handler again that threw. */
const RETRY_MILLISECONDS = 2_000;
/** Some hosts forget an alarm when they restart. */
const LOSING_PERCENT = 30;

/** What a room is. */
export interface RoomTraits {
  readonly prefix: string;
  readonly variant: StoreVariant;
  readonly limits: Partial<RoomLimits>;
  readonly storageSizes: Partial<StorageSizes>;
  /** How eagerly the host's event loop turns; 0: the host needs no turns. */
  readonly turnWeight: number;
  /** True if it dies whenever it gets certain pushes. */
  readonly diesOfPoison: boolean;
}

/** What a room lives in. */
export interface RoomSurroundings {
  readonly world: World;
  readonly disk: Disk;
  readonly hooks: SimHooks;
  readonly rights: Rights;
  readonly gate: SimGate | undefined;
  readonly unique: UniqueLeaves;
  readonly randomId: () => string;
  readonly mutant: Mutant;
  /** The procedures of the room; undefined if it has none. */
  readonly calls: SimCalls | undefined;
  /** Undefined if the room has no hooks that load and save it. */
  readonly database: SimDatabase | undefined;
  /** Undefined if the host has no alarms: then a process runs all the time. */
  readonly alarms: SimAlarms | undefined;
}

/** The process that a real room runs in: it can be killed, and it can be put to sleep. */
export class RoomProcess implements RoomEnd, HttpServer, Source {
  room: Room<Wire, StoreRequest>;
  /** What there was before that transaction. */
  #before: LeafMap<Leaf> = new LeafMap();
  /** What it was once. */
  exported: RoomDocument | undefined;
  /** True while the room's own code has a transaction open. */
  isEditing = false;
  /** How many pushes were refused because a hook failed or was too slow. */
  hookFailures = 0;
  /** By how much its clock is wrong, in milliseconds. */
  clockSkew = 0;
  /** The number of transactions of the room's own code. */
  edits = 0;
  /** The number of times that it slept. */
  sleeps = 0;
  readonly traits: RoomTraits;
  readonly #surroundings: RoomSurroundings;
  #network: Network | undefined;
  #http: Http | undefined;
  /** Those of one process: the next one has other objects for the same sockets. */
  #connections = new Map<Wire, RoomConnection<Wire>>();
  readonly #timers = new Set<() => void>();
  /** Those who wait for a turn of the event loop. */
  #turns: (() => void)[] = [];
  #working = 0;
  #lifecycle: RoomLifecycle<Wire, StoreRequest> | undefined;
  #alarms: HostAlarms | undefined;
  /** The number of times that an alarm was set. */
  #alarmSets = 0;
  #roomId: RoomId | undefined;
  /** True once something has come that tells the room's id. */
  #isTold = false;
  #starting: Promise<boolean> | undefined;
  #isAlarmRunning = false;
  #mayLackId = false;
  /** True while the room loads, perhaps from its database: no host puts it to sleep then. */
  #isStarting = false;
  #isStarted = false;
  /** The sockets whose hello the room has not processed. */
  readonly #hellos = new Set<Wire>();
  /** The parts of the push that is on its way over each socket. */
  readonly #parts = new WeakMap<Wire, string>();

  constructor(traits: RoomTraits, surroundings: RoomSurroundings) {
    this.traits = traits;
    this.#surroundings = surroundings;
    surroundings.disk.onBroken = () => {
      surroundings.world.note('    the host ends the room');
      this.kill();
    };
    this.room = this.#boot();
  }

  attach(network: Network, http: Http): void {
    this.#network = network;
    this.#http = http;
  }

  *occurrences(): Iterable<Occurrence> {
    const { alarms } = this.#surroundings;
    if (alarms !== undefined && this.isAlarmDue)
      yield {
        label: 'alarm',
        weight: 2,
        happen: (choices) => {
          const throws = alarms.isUnreliable && choices.percent(15);
          void this.#alarmed(alarms, throws);
        },
      };
    if (this.#turns.length === 0) return;
    yield {
      label: 'turn',
      weight: this.traits.turnWeight,
      happen: () => {
        for (const end of this.#turns.splice(0)) end();
      },
    };
  }

  connected(wire: Wire): void {
    const connection = this.#connection(wire);
    this.#connections.set(wire, connection);
    this.wake();
    const { gate, database } = this.#surroundings;
    if (gate === undefined && database === undefined) return;
    void this.room.connected(connection, NO_REQUEST);
  }

  received(wire: Wire, frame: string): void {
    const connection = this.#connections.get(wire);
    if (connection === undefined) return;
    this.wake();
    const { room } = this;
    const { rights, mutant } = this.#surroundings;
    this.#noteHello(wire, frame);
    if (this.traits.diesOfPoison && this.#isPoison(wire, frame)) {
      this.#surroundings.world.note('    the room dies of it');
      this.kill();
      return;
    }
    const messages = splitFrame(frame).flatMap(
      (message) => mutant.atRoom?.(message, wire, this) ?? [message],
    );
    for (const received of joinFrames(messages)) {
      this.#working += 1;
      const isPush = received.startsWith(`${this.traits.prefix}p`);
      const parts = isPush ? splitFrame(received) : [received];
      const read = isPush ? parts.map(asRead).join('\n') : received;
      const dealt = parts.map((part) => rights.received(wire, part));
      // A hello of a second client on the same socket waits for what the first one sent.
      const isFirst = wire.heardHellos.size < 2;
      if (isFirst && received.startsWith(`${this.traits.prefix}h`)) this.#hellos.add(wire);
      void room.receive(connection, read).then(() => {
        if (room !== this.room) return;
        this.#hellos.delete(wire);
        this.#working -= 1;
        for (const forget of dealt) forget();
      });
    }
  }

  /** True if a push of that frame, or one that it makes whole, is one of which the room dies. */
  #isPoison(wire: Wire, frame: string): boolean {
    const { prefix } = this.traits;
    return splitFrame(frame).some((text) => {
      if (text.startsWith(`${prefix}p`)) return isPoison(text);
      if (!text.startsWith(`${prefix}m`)) return false;
      const part = decodeClientMessage(prefix, text);
      if (part?.type !== 'part') return false;
      const whole = (part.offset === 0 ? '' : (this.#parts.get(wire) ?? '')) + part.text;
      this.#parts.set(wire, whole);
      return whole.length === part.length && isPoison(whole);
    });
  }

  /** Of several hellos of one client, the room may have heeded any. */
  #noteHello(wire: Wire, frame: string): void {
    const { prefix } = this.traits;
    if (!frame.startsWith(`${prefix}h`)) return;
    const message = decodeClientMessage(prefix, frame);
    if (message?.type !== 'hello') return;
    const { clientId, nextPush, generation } = message;
    wire.awaited = generation;
    const heard = heardIdOf(wire, clientId);
    if (nextPush >= (wire.heardHellos.get(heard)?.nextPush ?? 0)) {
      wire.heardHellos.set(heard, message);
    }
  }

  disconnected(wire: Wire): void {
    const connection = this.#connections.get(wire);
    if (connection === undefined) return;
    this.#connections.delete(wire);
    this.wake();
    const { gate, alarms } = this.#surroundings;
    // With a gate, who is still connected may not be there any more.
    if (gate !== undefined || !this.isAnybodyThere) alarms?.changed();
    this.room.disconnected(connection);
  }

  /** Answers a request over HTTP. */
  async answer({ method, url, body }: HttpRequest): Promise<HttpAnswer> {
    this.wake();
    const { room } = this;
    const response = await answerStoreRequest<StoreRequest>(
      room,
      {
        method,
        url,
        headers: new Headers(),
        body: bodyOf(body),
      },
      {
        storePath: '/store',
        responseHeaders: DEFAULT_RESPONSE_HEADERS,
        onError: (error) => this.#surroundings.world.fail(error),
      },
    );
    const answer = {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      body: await response.text(),
    };
    await this.#untilLetOut();
    this.#checkAnswer(room, method, body, answer);
    return answer;
  }

  /** Checks that only durable data leaves the room. */
  #checkAnswer(
    room: Room<Wire, StoreRequest>,
    method: string,
    body: string,
    answer: HttpAnswer,
  ): void {
    const { disk } = this.#surroundings;
    if (method === 'GET' && answer.status === 200) {
      const { cursor, content } = decodeLoadedContent(answer.body);
      if (cursor !== undefined && content !== undefined) disk.checkContent(cursor, content);
    }
    if (method !== 'PUT' || answer.status !== 201) return;
    const told = answer.body === '' ? undefined : decodeSeedAnswer(answer.body);
    const seed = decodeContent(body) ?? new LeafMap();
    if (told?.cursor !== undefined) disk.checkContent(told.cursor, seed);
    else disk.checkSeed(seed, told, readContent(room.store));
  }

  /** A transaction of the room's own code. */
  edit(choices: Choices): void {
    // Content that its own listeners would not let pass, a room cannot load again after a write that failed.
    if (this.traits.variant.mayThrow !== undefined && !this.#isStarted) return;
    this.#asOwnCode((store) => edit(store, choices, this.#surroundings.unique));
  }

  /** The room's own code makes a row one that hooks let nobody change, or the other way round. */
  lock(row: string, isLocked: boolean): void {
    this.#asOwnCode((store) => {
      if (!store.hasRow(LOCKED_TABLE, row)) return;
      if (isLocked) store.setCell(LOCKED_TABLE, row, LOCK_CELL, null);
      else store.delCell(LOCKED_TABLE, row, LOCK_CELL);
    });
  }

  /** Keeps what the room is now, to be restored some day. */
  export(): void {
    this.#work(async (room) => {
      const exported = await room.exportRoom();
      await this.#untilLetOut();
      this.exported = exported ?? this.exported;
    });
  }

  /** The room's own code puts back what was exported, while everybody is connected. */
  restoreExported(): void {
    const { exported } = this;
    this.#surroundings.alarms?.began();
    this.#surroundings.calls?.beganAnew();
    if (exported !== undefined) this.#surroundings.disk.documents.push(exported);
    this.#work(async (room) => {
      await room.restoreRoom(exported);
      // It may have waited, and what calls did meanwhile is gone, too.
      this.#surroundings.calls?.beganAnew();
    });
  }

  /** The app calls `storage.deleteAll()`. */
  emptyStorage(): void {
    this.#work((room) => {
      // A host that dies in an alarm lets it come again, and the id is gone.
      this.#mayLackId ||= this.#isAlarmRunning;
      this.#surroundings.alarms?.emptied();
      this.#surroundings.calls?.beganAnew();
      this.#roomId?.forgetStored();
      const emptied = this.#surroundings.disk.empty();
      this.#lifecycle?.storageEmptied(emptied);
      return room.storageEmptied(emptied);
    });
  }

  #work(work: (room: Room<Wire, StoreRequest>) => Promise<void>): void {
    this.wake();
    const { room } = this;
    this.#working += 1;
    void work(room)
      .catch((error: unknown) => this.#surroundings.world.note(`    room threw ${String(error)}`))
      .then(() => {
        if (room === this.room) this.#working -= 1;
      });
  }

  openTransaction(): void {
    this.wake();
    this.isEditing = true;
    this.#before = readContent(this.room.store);
    this.room.store.startTransaction();
  }

  finishTransaction(isRolledBack: boolean): void {
    this.isEditing = false;
    this.#asOwnCode((store) =>
      store.finishTransaction(() => isRolledBack && mayRollBack(store, this.#before)),
    );
  }

  /** Listeners of the room's Store throw at whoever writes to it. */
  #asOwnCode(action: (store: Store) => void): void {
    this.wake();
    this.edits += 1;
    try {
      action(this.room.store);
    } catch (error) {
      this.#surroundings.world.note(`    room threw ${String(error)}`);
    }
  }

  /**
   * `kill -9`, and a new process: all sockets die. Optionally, an older disk is put in before that starts. Without choices,
   * nothing of what is on its way to the disk takes effect.
   */
  kill(
    choices?: Choices,
    restored?: { readonly copy: DiskCopy; readonly epoch?: string } | 'nothing',
  ): void {
    const { disk, hooks, database, alarms } = this.#surroundings;
    const changeAlarm = alarms && this.#alarmAfter(choices);
    if (this.#isAlarmRunning || restored !== undefined || !disk.isIdle) alarms?.forget();
    this.#forget();
    database?.forget(choices);
    if (restored !== undefined && database !== undefined) database.isComparable = false;
    for (const wire of [...this.#connections.keys()]) this.#network?.dieAtRoom(wire);
    this.#connections = new Map();
    this.#http?.roomDied();
    hooks.forget();
    void disk.crash(choices, changeAlarm).then(async () => {
      if (restored === 'nothing') disk.wipe();
      else if (restored !== undefined) await disk.restore(restored.copy, restored.epoch);
      this.room = this.#boot();
    });
  }

  /** What is on disk. */
  get branch(): Branch | undefined {
    return this.#surroundings.disk.branch;
  }

  /** True if the room surely has a Store. */
  get hasStore(): boolean {
    return this.branch !== undefined && !this.#surroundings.disk.isBeingEmptied;
  }

  /** False if the room surely has no Store; it may be on its way to the disk. */
  get mayHaveStore(): boolean {
    const { store, isLoaded } = this.room;
    // Content that the app has elsewhere, or that could not be removed, is there once the room is loaded: a GET waits for that.
    const mayLoad = this.#surroundings.database !== undefined && !isLoaded;
    return mayLoad || store.hasTables() || store.hasValues() || this.hasStore;
  }

  /** True if a hello waits, and neither for the gate, the disk nor a transaction of the room's own code. */
  get isHelloWaiting(): boolean {
    const isBusy = !this.room.isLoaded || this.isEditing || this.#turns.length > 0;
    const { disk, gate } = this.#surroundings;
    const isAnyIn = [...this.#hellos].some((wire) => gate?.isDeciding(wire) !== true);
    return isAnyIn && !isBusy && disk.isIdle;
  }

  /** True if a socket is open. */
  get isAnybodyThere(): boolean {
    return [...this.#connections.keys()].some(
      ({ roomState, isClosedByRoom }) => roomState === 'open' && !isClosedByRoom,
    );
  }

  /** True if a host may put the room to sleep: it waits for nothing and nobody. */
  get isIdle(): boolean {
    const { disk, hooks, database, gate } = this.#surroundings;
    return (
      this.#working === 0 &&
      gate?.isIdle !== false &&
      this.#timers.size === 0 &&
      this.#turns.length === 0 &&
      disk.isIdle &&
      (database === undefined || (database.isIdle && !this.#isStarting)) &&
      !this.#isAlarmRunning &&
      !hooks.isAsked &&
      !this.isEditing &&
      this.#http?.isAtRoom === false
    );
  }

  /** Memory is lost, sockets and what is attached to them are kept. */
  hibernate(): void {
    this.sleeps += 1;
    this.#forget();
    const wires = [...this.#connections.keys()];
    this.#connections = new Map(wires.map((wire) => [wire, this.#connection(wire)]));
    this.room = this.#boot();
  }

  #forget(): void {
    this.#surroundings.rights.forget();
    this.#surroundings.calls?.forget();
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    this.#turns = [];
    this.#working = 0;
    this.#hellos.clear();
    this.#isStarted = false;
    this.#starting = undefined;
    this.#isAlarmRunning = false;
    this.isEditing = false;
  }

  #boot(): Room<Wire, StoreRequest> {
    const { world, disk, hooks, rights, randomId, mutant, calls } = this.#surroundings;
    const storage = disk.open();
    const { prefix, variant, limits, storageSizes, turnWeight } = this.traits;
    const connections = (): Iterable<RoomConnection<Wire>> =>
      [...this.#connections]
        .filter(([wire]) => wire.roomState === 'open')
        .map(([, connection]) => connection);
    const host: RoomHost<Wire> = {
      storage: mutant.storage?.(storage) ?? storage,
      connections,
      connectionOf: (wire) => this.#connections.get(wire),
      now: () => this.#now(),
      randomId,
      after: (milliseconds, callback) => this.#after(milliseconds, callback),
      ...(turnWeight > 0 && { takeTurn: () => this.#takeTurn() }),
    };
    const room = new Room<Wire, StoreRequest>(host, {
      messagePrefix: () => prefix,
      hooks: () => mutant.hooks?.(hooks.hooks, this) ?? hooks.hooks,
      hookTimeoutMilliseconds: () => mutant.hookTimeoutMilliseconds ?? 10_000,
      limits: () => limits,
      storageSizes: () => storageSizes,
      prepareStore: (store) => variant.prepare(store, 'room'),
      onRoomError: (error, where) => {
        world.note(`    room error (${where}) ${String(error)}`);
        if (where === 'hook') this.hookFailures += 1;
        if (where === 'room')
          world.fail(new PropertyFailure('room', `it failed inside: ${String(error)}`));
      },
    });
    calls?.attach(room, () => this.isEditing);
    this.#surroundings.gate?.attach(room);
    rights.watch(room.store);
    this.#alarms = this.#surroundings.alarms && this.#countSets(disk.alarmsOf(storage));
    this.#isTold = false;
    const isTold = (): boolean => this.#isTold;
    this.#roomId = new RoomId(
      {
        isIdDecoded: true,
        get id() {
          if (isTold()) return ROOM_ID;
          throw new Error('The host does not tell an alarm the id.');
        },
      },
      storage,
      () => '',
    );
    this.#lifecycle = this.#attachLifecycle(room, this.#roomId);
    if (this.#surroundings.alarms === undefined) this.#start(room);
    return room;
  }

  /** Something comes that tells the room's id, and whatever it is, the room is loaded first. */
  wake(): void {
    this.#isTold = true;
    const hasAlarms = this.#surroundings.alarms !== undefined;
    if (hasAlarms && this.#starting === undefined) this.#start(this.room);
  }

  #start(room: Room<Wire, StoreRequest>): void {
    const { world, alarms } = this.#surroundings;
    alarms?.began();
    this.#isStarting = true;
    this.#starting = room.start().then(
      () => {
        if (room === this.room) this.#isStarted = true;
        if (room === this.room) this.#isStarting = false;
        return true;
      },
      (error: unknown) => {
        world.note(`    room did not start: ${String(error)}`);
        if (room === this.room) {
          this.#isStarting = false;
          this.#starting = undefined;
        }
        return false;
      },
    );
  }

  /** True if the host's alarm is due, and can come. */
  get isAlarmDue(): boolean {
    const { disk } = this.#surroundings;
    return disk.alarm !== null && disk.alarm <= this.#now() && !this.#isAlarmRunning && disk.isIdle;
  }

  /** The host's time of the alarm by the clock of the world. */
  get alarmTime(): number | undefined {
    const { alarm } = this.#surroundings.disk;
    return alarm === null ? undefined : alarm - this.clockSkew;
  }

  /** The alarm comes, as on a host: it is taken off, comes again if it fails, and tells nobody the room's id. */
  async #alarmed(sim: SimAlarms, throws: boolean): Promise<void> {
    const { room } = this;
    const [alarms, roomId, lifecycle] = [this.#alarms, this.#roomId, this.#lifecycle];
    if (alarms === undefined || roomId === undefined) return;
    const { disk, world } = this.#surroundings;
    this.#isAlarmRunning = true;
    sim.changed();
    const sets = this.#alarmSets;
    // Not after the room, or its app, has set another one.
    void this.#insist(() => (sets === this.#alarmSets ? alarms.delete() : Promise.resolve()));
    try {
      await roomId.learn(() => undefined);
      if (readId(roomId) !== ROOM_ID && !this.#mayLackId && !sim.hasFailed)
        world.fail(new PropertyFailure('alarms', 'an alarm comes to a room that has stored no id'));
      if (this.#starting === undefined) this.#start(room);
      if (await this.#starting) await lifecycle?.alarmed(() => sim.handle(this.#now(), throws));
      else await lifecycle?.postpone();
      if (room === this.room) sim.settled();
    } catch (error) {
      if (room !== this.room) return;
      world.note(`    alarm failed: ${String(error)}`);
      if (!throws) sim.forget();
      if (disk.alarm !== null) return;
      sim.changed();
      await this.#insist(() => alarms.set(this.#now() + RETRY_MILLISECONDS));
    } finally {
      if (room === this.room) this.#isAlarmRunning = false;
    }
  }

  #countSets(alarms: HostAlarms): HostAlarms {
    return {
      ...alarms,
      set: (time) => {
        this.#alarmSets += 1;
        return alarms.set(time);
      },
    };
  }

  /** The host changes its alarm by itself, whatever else its disk does. */
  async #insist(change: () => Promise<unknown>): Promise<void> {
    let isDone = false;
    while (!isDone)
      isDone = await change().then(
        () => true,
        () => false,
      );
  }

  /** Returns what becomes of the host's alarm when the process dies. A handler that ran is called again. */
  #alarmAfter(choices: Choices | undefined): (alarm: number | null) => number | null {
    if (this.#isAlarmRunning) return (alarm) => Math.min(alarm ?? Infinity, this.#now());
    const isLost = choices?.percent(LOSING_PERCENT) === true;
    return (alarm) => (isLost ? null : alarm);
  }

  /** The app does something with its alarm. */
  useAlarm(use: (app: AppPorts) => void): void {
    this.wake();
    const [alarms, roomId, lifecycle] = [this.#alarms, this.#roomId, this.#lifecycle];
    if (alarms === undefined || roomId === undefined || lifecycle === undefined) return;
    use({ alarms, roomId, lifecycle, now: () => this.#now() });
  }

  #now(): number {
    return this.#surroundings.world.clock.now() + this.clockSkew;
  }

  /** Gives a room the hooks of its app, which load and save it in a database. */
  #attachLifecycle(
    room: Room<Wire, StoreRequest>,
    roomId: RoomId,
  ): RoomLifecycle<Wire, StoreRequest> | undefined {
    const { world, database, mutant } = this.#surroundings;
    if (database === undefined) return undefined;
    const report = (error: unknown): void => world.note(`    hook error ${String(error)}`);
    return new RoomLifecycle<Wire, StoreRequest>(room, {
      hooks: mutant.saves?.(database.hooks) ?? database.hooks,
      options: () => ({}),
      roomId,
      alarms: this.#alarms,
      onHookError: report,
      onStorageError: report,
      onConfigError: report,
    });
  }

  /** Resolves when the host lets out what leaves now; never if it does not. */
  #untilLetOut(): Promise<void> {
    return new Promise((resolve) => {
      this.#surroundings.disk.gate.hold(resolve);
    });
  }

  #connection(wire: Wire): RoomConnection<Wire> {
    const { disk } = this.#surroundings;
    const isMine = (): boolean => this.#connections.get(wire) === connection;
    const connection: RoomConnection<Wire> = {
      socket: wire,
      get isClosedByRoom() {
        return wire.isClosedByRoom;
      },
      send: (frame) => {
        this.#checkSent(wire, frame);
        disk.gate.hold(() => {
          if (isMine()) this.#network?.sendToClient(wire, frame);
        });
      },
      close: (code, reason) => {
        if (wire.roomState === 'open') wire.isClosedByRoom = true;
        this.#surroundings.rights.closed(wire);
        disk.gate.hold(() => {
          if (isMine()) this.#network?.closeByRoom(wire, code, reason);
        });
      },
      readSlot: (slot): unknown => Reflect.get(Object(wire.attachment), slot),
      writeSlot: (slot, value) => {
        if (isMine())
          wire.attachment = structuredClone({ ...Object(wire.attachment), [slot]: value });
      },
      restoreSlots: () => undefined,
    };
    return this.#surroundings.mutant.connection?.(connection) ?? connection;
  }

  #checkSent(wire: Wire, frame: string): void {
    const { gate, world } = this.#surroundings;
    if (gate === undefined || wire.isClosedByRoom) return;
    try {
      for (const message of splitFrame(frame)) gate.checkSent(wire, message);
    } catch (error) {
      world.fail(error);
    }
  }

  /** The room's own app closes a socket. */
  closeByApp(wire: Wire): void {
    this.#connections.get(wire)?.close(4001, 'Not you.');
  }

  #takeTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#turns.push(resolve);
    });
  }

  #after(milliseconds: number, callback: () => void): () => void {
    const cancel = this.#surroundings.world.clock.after(milliseconds, () => {
      this.#timers.delete(cancel);
      callback();
    });
    this.#timers.add(cancel);
    return () => {
      this.#timers.delete(cancel);
      cancel();
    };
  }
}

/** As an alarm knows it, or not. */
function readId(roomId: RoomId): string | undefined {
  try {
    return roomId.read();
  } catch {
    return undefined;
  }
}

/** The gate of the simulation does not look at it. */
const NO_REQUEST: StoreRequest = {
  method: 'GET',
  url: 'http://room/',
  headers: new Headers(),
  body: null,
};

function bodyOf(text: string): HttpBody {
  const parts: unknown[] = text === '' ? [] : [new TextEncoder().encode(text)];
  return {
    getReader: () => ({
      read: () => Promise.resolve({ done: parts.length === 0, value: parts.shift() }),
      cancel: () => Promise.resolve(),
    }),
  };
}
