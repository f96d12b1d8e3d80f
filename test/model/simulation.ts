import type { Changes } from '../../src/protocol/changes.ts';
import type { LeafMap } from '../../src/protocol/leaf-map.ts';
import { scopeOf } from '../../src/client/offline/client-record.ts';
import { decodeContent, encodeAlive, encodePing } from '../../src/protocol/codec.ts';
import type { Leaf } from '../../src/protocol/leaf.ts';
import { Room } from '../../src/server/room/room.ts';
import type { Adversity } from './adversities.ts';
import { Choices } from './choices.ts';
import { ClientDisk } from './client-disk.ts';
import { Disk, type DiskCopy } from './disk.ts';
import { EditLedger } from './edit-ledger.ts';
import { UniqueLeaves } from './edits.ts';
import { Http } from './http.ts';
import { Journal } from './journal.ts';
import { Middlebox } from './middlebox.ts';
import type { Mutant } from './mutant.ts';
import { Network } from './network.ts';
import { OtherRoom } from './other-room.ts';
import { HOME_ADDRESS, OTHER_ADDRESS, type Place } from './place.ts';
import { checkEntry, checkOtherEntry, checkSent, checkStep, checkUnread } from './properties.ts';
import { traitsOf, type Recording } from './recording.ts';
import { Rights } from './rights.ts';
import { RoomProcess } from './room-process.ts';
import { SimAlarms } from './sim-alarms.ts';
import { SimCalls } from './sim-calls.ts';
import { SimClient, type ClientTraits, type Ledgers } from './sim-client.ts';
import { SimDatabase } from './sim-database.ts';
import { SimGate } from './sim-gate.ts';
import { SimHooks } from './sim-hooks.ts';
import { StockPeer } from './stock-peer.ts';
import { Thief } from './thief.ts';
import { drawTraits, withAdversities, type Traits } from './traits.ts';
import { leafName } from './leaves.ts';
import { PropertyFailure, World } from './world.ts';

/** Chance that concerns a whole history, and none of its steps. */
const TRAITS_STREAM = 1_000_000;
const IDS_STREAM = 1_000_001;
const MIDDLEBOX_STREAM = 1_000_002;
const OTHER_STREAM = 1_000_003;
const ID_LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Everything that decides a simulation, except the steps. */
export interface Beginning {
  readonly seed: number;
  /** The traits that are given and not drawn. */
  readonly traits?: Partial<Traits>;
  /** Takes the place of all that is drawn. */
  readonly recording?: Recording;
}

/** The user who may only read, where there is one. */
const READER = 'client2';

/** The other user of a browser. */
const GUEST = 'guest';

/** The time in which a page is loaded. */
const PAGE_MILLISECONDS = 100;

/** A room, its clients, and everything between them, made of a seed. */
export class Simulation implements Place {
  readonly address: string = HOME_ADDRESS;
  /** Undefined if clients do not move. */
  readonly other: OtherRoom | undefined;
  readonly world: World = new World();
  readonly unique: UniqueLeaves = new UniqueLeaves();
  /** The number of unique leaves before the first step. */
  readonly uniqueAtFirst: number;
  readonly traits: Traits;
  readonly mutant: Mutant;
  readonly hooks: SimHooks;
  readonly rights: Rights;
  /** The gate of the room, if users have tokens. */
  readonly gate: SimGate | undefined;
  readonly disk: Disk;
  /** Undefined if the host has none. */
  readonly alarms: SimAlarms | undefined;
  /** Undefined if the room's app has none. */
  readonly database: SimDatabase | undefined;
  readonly http: Http;
  readonly network: Network;
  readonly room: RoomProcess;
  /** The procedures of the room; undefined if it has none. */
  readonly calls: SimCalls | undefined;
  /** Every tab that there ever was. */
  readonly clients: SimClient[] = [];
  readonly stockPeers: StockPeer[] = [];
  /**
   * The pushes that the room has answered and may store nothing of, as client id and number: their user may only read, or the room has no
   * Store.
   */
  readonly unrecordedPushes: Set<string> = new Set();
  /** Undefined if nobody has stolen anything. */
  readonly thief: Thief | undefined;
  /** What the disk was earlier, to come back to. */
  diskCopy: DiskCopy | undefined;
  readonly #ids: Choices;
  #firstTabs = 0;
  #copies = 0;

  constructor({ seed, traits, recording }: Beginning, mutant: Mutant = {}) {
    this.#ids = new Choices(seed, IDS_STREAM);
    this.mutant = mutant;
    const drawn =
      recording === undefined
        ? drawTraits(new Choices(seed, TRAITS_STREAM), this.unique)
        : traitsOf(recording);
    this.traits = withAdversities({ ...drawn, ...traits, ...mutant.traits });
    if (recording !== undefined) this.unique.begin(recording.uniqueLeaves);
    this.uniqueAtFirst = this.unique.count;
    this.unique.isHeavy = this.traits.isHeavy;
    this.unique.hasUnreadable = this.traits.hasUnreadable;
    const { prefix, networkWeight, httpWeight, storageSizes, turnWeight } = this.traits;
    const { diskWeight, writeStyle } = this.traits;
    const { world, unique } = this;
    this.hooks = new SimHooks(this.traits.hookStyle, (adversity) => this.has(adversity));
    const hasUsers = this.has('stolen-ids');
    const isGated =
      hasUsers || this.has('tokens-end') || this.has('slow-gate') || this.has('readers');
    const reader = this.has('readers') ? READER : undefined;
    this.gate = isGated
      ? new SimGate({ prefix, isSlow: this.has('slow-gate'), reader, hasUsers })
      : undefined;
    this.rights = new Rights(prefix, (wire) => this.gate?.isVoid(wire) === true);
    const journal = new Journal((entry, before) =>
      this.#check(() => checkEntry(this, entry, before)),
    );
    this.hooks.onAsked = (table, row, cell, old, isInitialSave) => {
      // Where writes settle early, the disk may not have the initial content yet.
      if (isInitialSave ? this.room.hasStore : writeStyle !== 'early' && !this.room.hasStore) {
        const message = `a hook is told that ${leafName(table, row, cell)} is ${isInitialSave ? '' : 'not '}of the initial content`;
        world.fail(new PropertyFailure('hooks', message));
      }
      // Before its initial content, a room's Store has what its preparation put there.
      const { branch } = this.disk;
      if (branch === undefined) return;
      const known = branch.latest.get(table, row, cell);
      // While one hook is waited for, others may be done: what was true is asked about again (HOOK-4).
      if (branch.contents.some((content) => content.get(table, row, cell) === old)) return;
      // What a hook tells others is held back, too.
      if (writeStyle === 'early') return;
      const message = `a hook is told that ${leafName(table, row, cell)} is ${String(old)}, and on disk is ${String(known)}`;
      world.fail(new PropertyFailure('durable', message));
    };
    const isTight = this.traits.limits.unreadLength !== undefined;
    this.calls = this.has('calls')
      ? new SimCalls(world, prefix, this.traits.isLeaky, this.has('floods'), isTight)
      : undefined;
    const hasDays = this.has('days-pass') || this.has('clock-jumps');
    this.disk = new Disk(world, journal, { prefix: '', diskWeight, writeStyle, hasDays });
    const isLoaded = this.has('loaded-elsewhere');
    this.alarms = this.has('alarms') ? new SimAlarms(world) : undefined;
    this.database =
      isLoaded || this.has('saved-elsewhere') || this.alarms !== undefined
        ? new SimDatabase(
            world,
            journal,
            isLoaded ? [{ loaded: { r: { c: 1 } } }, {}] : undefined,
            writeStyle === 'early',
          )
        : undefined;
    this.room = new RoomProcess(
      {
        prefix,
        variant: this.traits.roomVariant,
        limits: this.traits.limits,
        storageSizes,
        turnWeight,
        diesOfPoison: this.has('poison'),
      },
      {
        world,
        unique,
        disk: this.disk,
        hooks: this.hooks,
        rights: this.rights,
        gate: this.gate,
        randomId: () => this.randomId(),
        mutant,
        calls: this.calls,
        database: this.database,
        alarms: this.alarms,
      },
    );
    if (this.database !== undefined) {
      world.addSource(this.database);
      this.disk.onSaved = (row) => this.database?.checkPlace(row);
      this.disk.onHookRows = (rows) => this.alarms?.wrote(rows);
      this.disk.onFailure = () => this.alarms?.failed();
      this.database.onCall = () => this.alarms?.called();
      this.database.isAnybodyThere = () => this.gate === undefined && this.room.isAnybodyThere;
    }
    const middlebox = new Middlebox(
      world,
      (adversity) => this.has(adversity),
      new Choices(seed, MIDDLEBOX_STREAM),
    );
    this.http = new Http(world, httpWeight, this.room, middlebox);
    // One history is lived through at a time.
    globalThis.fetch = (url, init) =>
      (this.other?.http.isIts(url) === true ? this.other.http : this.http).fetch(url, init);
    this.hooks.onAnswer = () => {
      if (this.room.isHelloWaiting)
        world.fail(new PropertyFailure('hooks', 'a hello waits for the hooks of somebody else'));
    };
    this.hooks.store = () => this.room.room.store;
    this.network = new Network(world, this.room, networkWeight);
    this.network.filterToClient = (frame, wire) => {
      const frames = mutant.fromRoom?.(frame, wire) ?? [frame];
      for (const sent of frames) {
        this.#check(() => checkSent(this, wire, sent));
        this.#check(() => checkUnread(this, wire, sent));
      }
      return frames;
    };
    const pings = this.traits.answersPings ? encodePing(prefix) : undefined;
    this.network.hostAnswer = (frame) =>
      mutant.hostAnswer?.(frame) ?? (frame === pings ? encodeAlive(prefix) : undefined);
    this.room.attach(this.network, this.http);
    for (const source of [this.network, this.http, this.disk, this.hooks, this.room]) {
      world.addSource(source);
    }
    if (this.gate !== undefined) world.addSource(this.gate);
    if (this.calls !== undefined) world.addSource(this.calls);
    // What is called with an order, a second room would have to know.
    if (this.has('other-rooms') && this.calls === undefined) {
      this.other = new OtherRoom({
        ...{ world, unique },
        traits: this.traits,
        randomId: () => this.randomId(),
        choices: new Choices(seed, OTHER_STREAM),
        onEntry: (entry) => this.#check(() => checkOtherEntry(this, entry)),
      });
      for (const source of this.other.sources) world.addSource(source);
    }
    world.addCheck(() => checkStep(this));
    world.note(
      `room ${this.traits.roomVariant.name}, hooks ${this.traits.hookStyle}, limits ${JSON.stringify(this.traits.limits)}`,
    );
    for (const client of this.traits.clients) this.#addFirstTab(client);
    this.thief = hasUsers ? new Thief(this.network, prefix) : undefined;
    for (let count = 1; count <= this.traits.stockPeers; count += 1) {
      this.stockPeers.push(new StockPeer(`stock${count}`, this.network, prefix, this.room));
    }
  }

  /** True if the world of this history does that. */
  has(adversity: Adversity): boolean {
    return this.traits.adversities.includes(adversity);
  }

  /** 128 bits, or so. */
  randomId(): string {
    return Array.from({ length: 22 }, () => ID_LETTERS[this.#ids.below(64)]).join('');
  }

  /** The tab is closed, and another one opened: it finds what the first one has persisted. */
  restartTab(client: SimClient, choices: Choices): void {
    this.closeTab(client, choices);
    const { partner } = client;
    if (partner?.isAlive === true) this.closeTab(partner, choices);
    // The numbers of the next page begin with the time (OFFLINE-9).
    this.world.clock.passTo(this.world.clock.now() + PAGE_MILLISECONDS);
    this.#addTab(
      {
        ...client.traits,
        ...{ name: `${client.name}'`, user: client.user },
        ...{ partner: undefined, begins: client.place },
      },
      client.ledgers,
    );
  }

  /** The tab is copied, with its memory; what it has on disk, both have. */
  copyTab(client: SimClient): void {
    const { traits, ledgers, place } = client;
    const name = `tab${(this.#copies += 1)} of ${traits.name}`;
    const lastClient = { ...traits.lastClient };
    this.#addTab(
      { ...traits, name, lastClient, user: client.user, begins: place },
      createLedgers(ledgers),
    );
  }

  /** The app makes a new session of the Store of a tab. */
  mount(client: SimClient, choices: Choices): void {
    const isOther = this.has('busy-browsers') && choices.percent(30);
    const user = isOther ? (client.user === GUEST ? undefined : GUEST) : client.user;
    client.mount({
      user,
      ledgers: () => this.#ledgersOf(client.traits.disk, user),
      usesDisk: choices.percent(85),
      isElsewhere: choices.percent(20),
    });
  }

  /** The app goes back to what it had in the beginning. */
  mountAsFirst(client: SimClient): void {
    const { user, disk } = client.traits;
    const ledgers = (): Ledgers => this.#ledgersOf(disk, user);
    client.mount({ user, ledgers, usesDisk: true, isElsewhere: false });
  }

  /** Opens a tab for a user of a browser who has edits there, and no tab. Returns false if there is none. */
  openForEdits(client: SimClient): boolean {
    const { disk } = client.traits;
    for (const user of disk?.ledgers.keys() ?? []) {
      const hasEdits = [HOME_ADDRESS, OTHER_ADDRESS].some(
        (address) => (disk?.editsOf(scopeOf(user, address, this.traits.prefix)).length ?? 0) > 0,
      );
      const isThere = this.clients.some(
        (tab) => tab.isAlive && tab.traits.disk === disk && tab.user === user,
      );
      if (!hasEdits || isThere) continue;
      const { traits, place } = client;
      const name = `tab${(this.#copies += 1)} of ${traits.name}`;
      this.#addTab(
        { ...traits, name, lastClient: {}, user, begins: place },
        this.#ledgersOf(disk, user),
      );
      return true;
    }
    return false;
  }

  /** Makes the ledgers of one more tab of that user. */
  #ledgersOf(disk: ClientDisk | undefined, user: string | undefined): Ledgers {
    const known = [...(disk?.ledgers.get(user) ?? [])];
    const at = (address: string): EditLedger =>
      new EditLedger(
        address,
        known.find((ledger) => ledger.address === address),
      );
    return { home: at(HOME_ADDRESS), other: at(OTHER_ADDRESS) };
  }

  /** Another user of the browser opens a tab, which has the memory of that tab. */
  visit(client: SimClient): void {
    const { traits, place } = client;
    const name = `guest${(this.#copies += 1)} of ${traits.name}`;
    const lastClient = { ...traits.lastClient };
    const ledgers = this.#ledgersOf(traits.disk, GUEST);
    this.#addTab({ ...traits, name, lastClient, user: GUEST, begins: place }, ledgers);
  }

  /**
   * A tab is closed. What it had adopted and could not store goes with it, and so does what was cleared since it has read it, also if the
   * tab has ended that session since, and perhaps begun one for another user.
   */
  closeTab(client: SimClient, choices: Choices): void {
    const { traits, user, unconfirmed, place, recordId } = client;
    const { disk } = traits;
    client.die(choices);
    for (const former of client.cleared) this.#noteLost({ disk, user: former });
    if (!client.hasStorage) this.#noteLost({ disk, user });
    else if (disk?.hasCleared(recordId) === true)
      for (const ledger of disk.ledgers.get(user) ?? [])
        if (ledger.address === place.address)
          ledger.gone(unconfirmed, this.#keptOf({ disk, user }, place.address));
  }

  /** Edits that are neither on disk nor in the memory of a tab are lost, whoever made them. */
  #noteLost(traits: Pick<ClientTraits, 'disk' | 'user'>): void {
    const { disk, user } = traits;
    for (const ledger of disk?.ledgers.get(user) ?? []) {
      const own = this.clients.filter((tab) => tab.isAlive && tab.ledgerHere === ledger);
      ledger.tabClosed(
        this.#keptOf(traits, ledger.address),
        own.flatMap(({ unconfirmed }) => unconfirmed),
      );
    }
  }

  /** The edits of a user for a room that are on disk, or in the memory of a tab. */
  #keptOf(
    { disk, user }: Pick<ClientTraits, 'disk' | 'user'>,
    address: string,
  ): readonly Changes[] {
    const inMemory = this.clients
      .filter(
        (tab) =>
          tab.isAlive &&
          tab.traits.disk === disk &&
          tab.user === user &&
          tab.place.address === address,
      )
      .flatMap(({ unconfirmed }) => unconfirmed);
    return [...inMemory, ...(disk?.editsOf(scopeOf(user, address, this.traits.prefix)) ?? [])];
  }

  /** What a room loads that starts on what is on the disk now. */
  async coldStart(): Promise<LeafMap<Leaf>> {
    const { prefix, roomVariant, limits } = this.traits;
    const room = new Room(
      {
        storage: this.disk.copyStorage(),
        connections: () => [],
        connectionOf: () => undefined,
        now: () => this.world.clock.now(),
        randomId: () => this.randomId(),
        after: () => () => undefined,
      },
      {
        messagePrefix: () => prefix,
        limits: () => limits,
        prepareStore: (store) => roomVariant.prepare(store, 'room'),
      },
    );
    const { json } = await room.content();
    const content = decodeContent(json ?? '');
    if (content === undefined) throw new Error('A cold start finds no Store.');
    return content;
  }

  #addFirstTab({ variant, isPersistent, seed, isSeedInStore }: Traits['clients'][number]): void {
    const name = `client${(this.#firstTabs += 1)}`;
    const disk = isPersistent
      ? (this.mutant.clientDisk?.(name) ?? new ClientDisk(name))
      : undefined;
    if (disk !== undefined) this.world.addSource(disk);
    if (disk !== undefined) {
      disk.onCleared = (user) => this.#noteLost({ disk, user });
      disk.after = (...timer) => this.world.clock.after(...timer);
      disk.isHasty = this.has('power-failures');
      disk.isClockLost = this.has('clocks-behind');
      disk.hasLocks = !this.has('no-locks');
      disk.onWriteAfterClear = (text) =>
        this.world.fail(new PropertyFailure('cleared', `${name} writes ${text} after a clear`));
    }
    const canUndo = this.has('undo');
    const client = this.#addTab({
      ...{ name, variant, disk, seed, isSeedInStore, canUndo },
      lastClient: {},
    });
    if (!this.has('two-persisters')) return;
    const { lastClient } = client.traits;
    const twin = { name: `${name}+`, variant, disk, lastClient, seed: undefined, isSeedInStore };
    this.#addTab({ ...twin, canUndo: false, partner: client }, client.ledgers);
  }

  #addTab(traits: ClientTraits, ledgers: Ledgers = createLedgers()): SimClient {
    const { world, unique } = this;
    world.note(
      `${traits.name} ${traits.variant.name}${traits.disk === undefined ? '' : ', persistent'}`,
    );
    const client = new SimClient(
      traits,
      {
        world,
        home: this,
        other: this.other,
        unique,
        calls: this.calls,
        prefix: this.traits.prefix,
        mutant: this.mutant,
        randomId: () => this.randomId(),
        randomNumber: () => this.#ids.below(2 ** 32),
        // Where it makes a difference. Other histories were recorded without.
        random: () => (this.has('poison') ? this.#ids.below(1000) / 1000 : 0.5),
      },
      ledgers,
    );
    this.clients.push(client);
    client.start();
    return client;
  }

  #check(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.world.fail(error);
    }
  }
}

function createLedgers(sibling?: Ledgers): Ledgers {
  return {
    home: new EditLedger(HOME_ADDRESS, sibling?.home),
    other: new EditLedger(OTHER_ADDRESS, sibling?.other),
  };
}
