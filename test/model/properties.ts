import { createStore } from 'tinybase';

import { applyChangesToLeaves, type Changes } from '../../src/protocol/changes.ts';
import { decodeRoomMessage } from '../../src/protocol/codec.ts';
import type { Leaf } from '../../src/protocol/leaf.ts';
import { LeafMap } from '../../src/protocol/leaf-map.ts';
import type { Ack, RoomMessage } from '../../src/protocol/messages.ts';
import { readContent } from '../../src/protocol/store-access.ts';
import type { LogEntry } from '../../src/server/storage/log-row.ts';
import { contentBytes, measureContent } from '../../src/server/writes/content-size.ts';
import { localOnlyLeaves } from '../client/replica/local-only-leaves.ts';
import { carries, type EditLedger, type EditRecord, type SentPush } from './edit-ledger.ts';
import { isUnique, PAIR_TABLE } from './edits.ts';
import { copyLeaves, describeDifferences, differences, leafName } from './leaves.ts';
import type { Wire } from './network.ts';
import { HOME_ADDRESS, type Place } from './place.ts';
import { LOCK_CELL } from './sim-hooks.ts';
import type { SimClient } from './sim-client.ts';
import type { Simulation } from './simulation.ts';
import type { Branch } from './journal.ts';
import { cutter, writtenAs, type StoreVariant } from './store-variants.ts';
import type { Traits } from './traits.ts';
import { PropertyFailure } from './world.ts';

/** The length of what is sent beside content, at most. */
const LONGEST_WORD = 250;

/**
 * Durable: nothing leaves the room that is not on disk. One order: to each connection it leaves in order. To be called
 * with every frame as the room sends it.
 */
export function checkSent(simulation: Simulation, wire: Wire, frame: string): void {
  const { disk, traits } = simulation;
  simulation.calls?.checkSent(
    wire,
    frame,
    disk.branch?.latest,
    (known) => disk.branch?.contents[known],
  );
  const message = decodeRoomMessage(traits.prefix, frame);
  const version = disk.branch?.version ?? 0;
  const check = (claimed: { readonly version: number; readonly lastPush?: number }): void => {
    if (claimed.version > version) {
      throw new PropertyFailure(
        'durable',
        `${wire.label} is told of version ${claimed.version}, disk has ${version}`,
      );
    }
    const known = highestKnownPush(disk.branch, wire);
    // A room without a Store has nothing that could be applied twice, and stores nothing.
    // Nor does the room store what it has refused to a reader: a reload may tell of that, too, where the correction is too large.
    const isReader = simulation.gate?.isReader(wire.client.name) === true;
    if (!isReader && claimed.version > 0 && (claimed.lastPush ?? 0) > known) {
      throw new PropertyFailure(
        'durable',
        `${wire.label} is told of push ${claimed.lastPush}, disk has ${known}`,
      );
    }
  };
  if (message !== undefined) {
    noteAnswer(simulation, wire, message);
    checkOrder(simulation, wire, message);
  }
  switch (message?.type) {
    case 'welcome':
      check({ version: message.cursor.version, lastPush: message.lastPush });
      break;
    case 'ack':
      check({ version: message.version, lastPush: message.number });
      checkReason(simulation, wire, message);
      break;
    case 'commit':
      check({ version: message.version });
      break;
    case 'pong':
      // Until the next hello, a client that has lost its place takes nothing from it (ORDER-6).
      check(wire.awaited === undefined ? { version: message.version } : message);
      break;
    default:
  }
}

/** Bounded: what a connection does not read is not much more than the limit. A room that slept knows of no earlier frames. */
export function checkUnread({ traits, room }: Simulation, wire: Wire, frame: string): void {
  const { unreadLength } = traits.limits;
  if (unreadLength === undefined || room.sleeps > 0) return;
  const frames = wire.toClient.flatMap((parcel) => (parcel.type === 'frame' ? parcel.frame : []));
  // Before its hello, a word from it, such as a call, tells the room that it reads.
  if (frames.some((waiting) => waiting.startsWith(`${traits.prefix}s`))) return;
  const unread = frames.map(({ length: one }) => one);
  const length = unread.reduce((sum, one) => sum + one, 0);
  // It sees that it is too much after one frame, tells so, and may have asked for a sign just before.
  const most = unreadLength + Math.max(0, ...unread) + 2 * LONGEST_WORD;
  if (length <= most) return;
  throw new PropertyFailure(
    'bounded',
    `${wire.label} has ${length} characters unread, and is sent ${frame.slice(0, 40)}`,
  );
}

/** Remembers the highest push that one connection was told the end of. A slow call may end after a hello with a new client id. */
function noteAnswer({ unrecordedPushes }: Simulation, wire: Wire, message: RoomMessage): void {
  const answered =
    message.type === 'welcome'
      ? message.lastPush
      : message.type === 'ack'
        ? message.number
        : message.type === 'error'
          ? message.push
          : undefined;
  wire.answeredPush = Math.max(wire.answeredPush, answered ?? 0);
  if (message.type === 'ack' && message.reason === 'access') wire.readersPush = message.number;
  const isUnrecorded =
    (message.type === 'ack' && (message.reason === 'access' || message.version === 0)) ||
    (message.type === 'welcome' && message.cursor.version === 0);
  if (!isUnrecorded || answered === undefined) return;
  for (const clientId of wire.heardHellos.keys()) unrecordedPushes.add(pushKey(clientId, answered));
}

function pushKey(clientId: string, number: number): string {
  return `${clientId} ${number}`;
}

/** One order: what one connection is told goes on from what it was told before. */
function checkOrder(simulation: Simulation, wire: Wire, message: RoomMessage): void {
  // One that sends too much is not told each time that it has lost its place: the pong says so (FLOOD-1).
  if (message.type === 'pong' && simulation.has('floods')) return;
  if (message.type === 'welcome') {
    const isLive = message.changes !== undefined && message.generation === wire.awaited;
    wire.told = isLive ? message.cursor.version : undefined;
  } else if (message.type === 'error') {
    if (message.code === 'malformed') return;
    wire.told = undefined;
    wire.awaited = undefined;
  } else if (message.type === 'commit' || message.type === 'ack' || message.type === 'pong') {
    const isCommit = message.type === 'commit' || (message.type === 'ack' && message.isCommit);
    const { version } = message;
    if (wire.told !== undefined && version !== wire.told + (isCommit ? 1 : 0)) {
      throw new PropertyFailure(
        'one order',
        `${wire.label} is told of version ${version} by ${message.type}, after version ${wire.told}`,
      );
    }
    if (wire.told !== undefined) wire.told = version;
  }
}

/** The highest push number on disk of whoever uses that socket. What it has forgotten, a room believes of a hello. */
function highestKnownPush(branch: Branch | undefined, wire: Wire): number {
  let highest = wire.readersPush;
  for (const [clientId, { nextPush }] of wire.heardHellos) {
    highest = Math.max(highest, branch?.lastPushes.get(clientId) ?? 0, nextPush - 1);
  }
  return highest;
}

/**
 * Correction: whoever is told that something did not become what was asked is told why. A reaction in a row that is gone was ignored
 * (DERIVE-3).
 */
function checkReason({ clients }: Simulation, wire: Wire, ack: Ack): void {
  const author = clients.find(({ name }) => name === wire.client.name);
  const [clientId, ...others] = wire.heardHellos.keys();
  // Of a socket that one client took over from another, there is no telling whose push it was.
  if (clientId === undefined || others.length > 0) return;
  const asked = author?.ledger.pushOf(clientId, ack.number);
  if (ack.reason !== undefined || ack.correction === undefined || asked === undefined) return;
  ack.correction.leaves.forEach((leaf, table, row, cell) => {
    if (!asked.leaves.has(table, row, cell) || asked.leaves.get(table, row, cell) === leaf) return;
    if (leaf === undefined && author?.ledger.isReaction(asked) === true) return;
    throw new PropertyFailure(
      'correction',
      `${wire.label} is not told why ${leafName(table, row, cell)} was altered`,
    );
  });
}

/** What must hold of every entry that gets on disk. To be called with the content before it. */
export function checkEntry(simulation: Simulation, entry: LogEntry, before: LeafMap<Leaf>): void {
  const { changes, author } = entry;
  if (changes === undefined) return;
  simulation.rights.check(changes);
  checkRoom(simulation, simulation, changes);
  if (author !== undefined) checkSize(simulation, entry, before);
  if (author !== undefined) checkOnce(simulation, simulation, entry);
  if (simulation.has('competing-listeners')) checkReaction(simulation, entry);
  const after = copyLeaves(before);
  applyChangesToLeaves(after, changes);
  for (const { table, row, cell, left, right } of differences(before, after)) {
    const name = leafName(table, row, cell);
    for (const { seed } of simulation.traits.clients) {
      if (right === undefined || seed?.get(table, row, cell) !== right) continue;
      const ledgers = simulation.clients.flatMap(({ everyLedger }) => everyLedger);
      if (ledgers.some((ledger) => ledger.hasRepeated(table, row, cell, right))) continue;
      throw new PropertyFailure(
        'initial content',
        `${name} = ${String(right)} of a seed came after the initial content`,
      );
    }
    if (author === undefined || simulation.traits.roomVariant.name !== 'plain') continue;
    if (
      simulation.hooks.mayLock(table) &&
      before.get(table, row, LOCK_CELL) === null &&
      left !== right
    ) {
      throw new PropertyFailure(
        'hooks',
        `${name} became ${String(right)} while its row was locked, which is forbidden`,
      );
    }
    if (right !== undefined && !simulation.hooks.wereTold(table, row, cell, left)) {
      throw new PropertyFailure('hooks', `${name} was ${String(left)}, and no hook was told so`);
    }
    const isRefused =
      right === undefined
        ? simulation.hooks.keeps(table, row, cell, after.cells(table, row).size === 0)
        : left !== right && table !== PAIR_TABLE && simulation.hooks.mayRefuse(right);
    if (!isRefused) continue;
    throw new PropertyFailure('hooks', `${name} became ${String(right)}, which is forbidden`);
  }
}

/** As {@link checkEntry}, for the room to which clients move. */
export function checkOtherEntry(simulation: Simulation, entry: LogEntry): void {
  const { other } = simulation;
  if (other === undefined || entry.changes === undefined) return;
  checkRoom(simulation, other, entry.changes);
  checkOnce(simulation, other, entry);
}

/** Rooms: an edit that was made in one room gets to no other one. */
function checkRoom(
  { clients, other, traits }: Simulation,
  { address }: Place,
  changes: Changes,
): void {
  if (other === undefined) return;
  const ledgers = new Set(clients.flatMap(({ everyLedger }) => everyLedger));
  for (const ledger of ledgers) {
    if (ledger.address === address) continue;
    const record = ledger.madeIn(changes).find(
      (made) =>
        // An undo puts back what the Store showed, also before the content of the next room was there.
        !made.isRepeated &&
        !clients.some((client) => isOf(client, address, made)) &&
        !traits.clients.some((client) => isGiven(client, made)),
    );
    if (record === undefined) continue;
    const { table, row, cell, leaf } = record;
    const what = `${leafName(table, row, cell)} = ${String(leaf)}`;
    throw new PropertyFailure(
      'rooms',
      `${what} was made in ${ledger.address}, and got to ${address}`,
    );
  }
}

/** True if an app gives that to each room that is new. A user may have made the same. */
function isGiven(
  { seed, isSeedInStore }: Traits['clients'][number],
  { table, row, cell, leaf }: EditRecord,
): boolean {
  return !isSeedInStore && seed?.get(table, row, cell) === leaf;
}

/** True if a user has made that in the room of that address, too. */
function isOf(client: SimClient, address: string, record: EditRecord): boolean {
  return client.ledgersAt({ address }).some((ledger) => ledger.hasMade(record));
}

/** Exactly once: an edit is applied for one push, also if another client has taken it over. */
function checkOnce({ clients }: Simulation, place: Place, { changes, author }: LogEntry): void {
  const { disk } = place;
  changes?.leaves.forEach((leaf, table, row, cell) => {
    // Listeners of the app make the same again.
    if (!isUnique(leaf) || clients.some(({ traits }) => traits.variant.alters(table, cell, leaf)))
      return;
    const earlier = disk.branch?.entries.find(
      (entry) =>
        entry.author !== undefined &&
        entry.author.clientId !== author?.clientId &&
        // A room that was wiped has told that it never had them: others may have taken them over before it was restored.
        !disk.returned.has(entry) &&
        entry.changes?.leaves.get(table, row, cell) === leaf,
    )?.author;
    if (earlier === undefined) return;
    // The user may have undone what came between.
    const isRepeated = writtenAs(leaf).some((made) =>
      clients.some((client) =>
        client.ledgersAt(place).some((ledger) => ledger.hasRepeated(table, row, cell, made)),
      ),
    );
    if (isRepeated) return;
    const pushes = [earlier, author].map((by) => `${by?.clientId} ${by?.push}`).join(' and ');
    const message = `${leafName(table, row, cell)} = ${String(leaf)} was applied for ${pushes}`;
    throw new PropertyFailure('exactly once', message);
  });
}

/** Bounded: no client makes content larger that is over its limit. A listener of the room's own may (LIMIT-2). */
function checkSize(
  { traits }: Simulation,
  { changes, author }: LogEntry,
  before: LeafMap<Leaf>,
): void {
  const { contentBytes: limit } = traits.limits;
  if (changes === undefined || limit === undefined || traits.roomVariant.name !== 'plain') return;
  const after = copyLeaves(before);
  applyChangesToLeaves(after, changes);
  const [from, to] = [before, after].map((content) => contentBytes(measureContent(content)));
  if (from === undefined || to === undefined || to <= Math.max(from, limit)) return;
  throw new PropertyFailure(
    'bounded',
    `a push of ${author?.clientId} made ${to} of ${from}, over the limit of ${limit}`,
  );
}

/**
 * Reactions: what a client's app makes of a leaf that somebody else has set stays its own. To be called for the entries of
 * authors whose apps change nothing but what is set.
 */
function checkReaction({ clients }: Simulation, { changes, author }: LogEntry): void {
  if (changes === undefined || author === undefined) return;
  for (const { name, ledger, traits } of clients) {
    const asked = ledger.pushOf(author.clientId, author.push);
    if (asked === undefined || traits.variant !== cutter) continue;
    asked.leaves.forEach((leaf, table, row, cell) => {
      if (leaf === undefined || ledger.hasEdited(table, row, cell)) return;
      const what = `${leafName(table, row, cell)} = ${String(leaf)}`;
      throw new PropertyFailure(
        'reactions',
        `${name} sent ${what}, and its user did nothing to it`,
      );
    });
  }
}

/** Reactions: one edit makes at most one commit more of each client. */
function checkReactions({
  clients,
  disk,
  room,
  hooks,
  stockPeers,
  thief,
  traits,
}: Simulation): void {
  let edits = room.edits + hooks.writes + (thief?.edits ?? 0);
  for (const client of clients)
    for (const { transactions } of client.ledgersAt({ address: HOME_ADDRESS }))
      edits += transactions;
  for (const peer of stockPeers) edits += peer.edits;
  // Each of a client's tabs may begin with something of its own.
  const most = (edits + clients.length) * (1 + traits.clients.length);
  // A storage that was set back has entries that others have, too.
  const commits = new Set<LogEntry>();
  for (const branch of disk.journal.branches())
    for (const entry of branch.entries) if (entry.changes !== undefined) commits.add(entry);
  if (commits.size <= most) return;
  throw new PropertyFailure('reactions', `${commits.size} commits came of ${edits} edits`);
}

/** What must hold after every single step, of every client to which anything has happened. */
export function checkStep(simulation: Simulation): void {
  for (const client of simulation.clients) {
    if (!client.isTouched) continue;
    client.isTouched = false;
    // Inside an open transaction, the Store shows what may be rolled back yet.
    if (!client.isAlive || client.isIdle || client.isEditing || client.partner?.isEditing === true)
      continue;
    const base = client.session.replica.readBase();
    if (base === undefined) continue;
    if (client.isLive && client.session.isFollowing && !client.isLeaving) checkBase(client, base);
    checkView(client, base);
    client.seen = base;
    // Reading the base is a transaction, though an empty one.
    client.isTouched = false;
  }
}

/** Returns what a room without a Store shows, as its schema says: corrections of a push tell so. */
function defaultsOf(variant: StoreVariant): LeafMap<Leaf> {
  const store = createStore();
  variant.prepare(store, 'room');
  return readContent(store);
}

/** True if a room without a Store shows all of that. */
function isByDefault(base: LeafMap<Leaf>, variant: StoreVariant): boolean {
  const defaults = defaultsOf(variant);
  let areDefaults = true;
  base.forEach((leaf, table, row, cell) => {
    areDefaults &&= defaults.get(table, row, cell) === leaf;
  });
  return areDefaults;
}

/** One order: a client's base is exactly the room's content at that client's version. */
function checkBase({ name, session, place }: SimClient, base: LeafMap<Leaf>): void {
  const { cursor } = session;
  const { disk, room } = place;
  if (cursor === undefined) return;
  const contents = disk.journal.contentsAt(cursor);
  const [content] = contents;
  if (content === undefined) {
    throw new PropertyFailure(
      'durable',
      `${name} is at ${cursor.epoch} ${cursor.version}, which is not on disk`,
    );
  }
  // Who shows a history that there is no more learns of it in time.
  if (contents.some((known) => differences(base, known).length === 0)) return;
  if (cursor.version === 0 && isByDefault(base, room.traits.variant)) return;
  const found = differences(base, content);
  throw new PropertyFailure(
    'one order',
    `the base of ${name} is not version ${cursor.version}: ${describeDifferences(found)}`,
  );
}

/** View: what is visible is the base, what is pending on top, and what is local-only on top of that. */
function checkView({ name, store, session }: SimClient, base: LeafMap<Leaf>): void {
  const { replica, sync } = session;
  const expected = copyLeaves(base);
  for (const { changes } of replica.pending) applyChangesToLeaves(expected, changes);
  if (replica.held !== undefined) applyChangesToLeaves(expected, replica.held);
  const local = localOnlyLeaves(replica);
  local.forEach(({ leaf }, table, row, cell) => {
    if (leaf === undefined) expected.delete(table, row, cell);
    else expected.set(table, row, cell, leaf);
  });
  const found = differences(readContent(store), expected);
  if (found.length > 0) {
    throw new PropertyFailure(
      'view',
      `${name} shows something else: ${describeDifferences(found)}`,
    );
  }
  if (sync.localOnly !== local.count())
    throw new PropertyFailure('view', `${name} says that ${sync.localOnly} leaves are local-only`);
  if (replica.pending.length > 0 || replica.held !== undefined) return;
  const kept = differences(base, expected).filter(
    ({ table, row, cell }) => !local.has(table, row, cell),
  );
  if (kept.length > 0)
    throw new PropertyFailure('view', `${name} keeps something for nothing pending`);
}

/** What must hold when everything has come to quiet. */
export async function checkQuiet(simulation: Simulation): Promise<void> {
  const { disk, room, clients } = simulation;
  for (const client of clients) client.isTouched = true;
  checkStep(simulation);
  const content = readContent(room.room.store);
  const written = disk.branch?.latest ?? new LeafMap<Leaf>();
  if (disk.branch !== undefined) {
    throwIfDifferent('convergence', 'the room and its disk differ', content, written);
    throwIfDifferent(
      'convergence',
      'the room and a cold start differ',
      content,
      await simulation.coldStart(),
    );
  }
  checkLoaded(simulation);
  for (const client of clients) {
    if (!client.isAlive || client.isIdle) continue;
    checkConverged(simulation, client, written);
    checkSeeds(client);
  }
  checkEdits(simulation, simulation);
  for (const peer of simulation.stockPeers) peer.checkTold(content);
  for (const { name, isAlive, calls } of clients) {
    if (isAlive && calls !== undefined && calls.underWay > 0)
      throw new PropertyFailure('calls', `${calls.underWay} calls of ${name} have no end`);
  }
  if (simulation.has('competing-listeners') || simulation.has('two-persisters'))
    checkReactions(simulation);
}

/** As {@link checkQuiet}, for the room to which clients move, when all that can is there. */
export function checkOther(simulation: Simulation, other: Place): void {
  const { disk, room } = other;
  for (const client of simulation.clients) client.isTouched = true;
  checkStep(simulation);
  const written = disk.branch?.latest ?? new LeafMap<Leaf>();
  const content = readContent(room.room.store);
  throwIfDifferent('convergence', 'the other room and its disk differ', content, written);
  for (const client of simulation.clients)
    if (client.isAlive && !client.isIdle && client.place === other)
      checkConverged(other, client, written);
  checkEdits(simulation, other);
}

/** No edit is dropped, and none of another room is what a room began with. */
function checkEdits(simulation: Simulation, place: Place): void {
  for (const { contents } of place.disk.journal.branches()) {
    const [, first] = contents;
    if (first !== undefined)
      checkRoom(simulation, place, { leaves: first, deletedRows: new Map() });
  }
  /** The keys of the edits with which an undo or a redo of any client has put something back. */
  const repeated = new Set<string>();
  for (const { everyLedger } of simulation.clients)
    for (const { records } of everyLedger)
      for (const record of records) if (record.isRepeated) repeated.add(editKey(record));
  for (const client of simulation.clients)
    for (const ledger of client.ledgersAt(place))
      for (const record of ledger.records)
        checkEdit(place, client, ledger, record, repeated.has(editKey(record)));
}

/** Checks a room that nobody uses any more, when its last alarm has come. */
export function checkLonely({ alarms, database, disk }: Simulation): void {
  const { branch } = disk;
  if (disk.alarm !== null) failAlarms('there is no end to the alarms of a room that nobody uses');
  if (alarms?.due !== undefined) failAlarms('the alarm of the app did not come');
  if (branch === undefined || database?.isComparable !== true) return;
  for (const [what, had] of [
    ['saved', database.saved],
    ['told to be empty', database.emptied],
  ] as const) {
    if (had?.epoch === branch.epoch && had.version === branch.version) continue;
    if (what === 'saved' && had === undefined && database.initial !== undefined) continue;
    failAlarms(`version ${had?.version} was ${what} last, and the room is at ${branch.version}`);
  }
}

function failAlarms(message: string): never {
  throw new PropertyFailure('alarms', message);
}

/** Loaded elsewhere: the room begins with what its app's database has. */
function checkLoaded({ database, disk, traits }: Simulation): void {
  if (database?.initial === undefined || traits.roomVariant.name !== 'plain') return;
  const [first] = disk.journal.branches();
  if (first === undefined || first.contents[1]?.get('loaded', 'r', 'c') === 1) return;
  throw new PropertyFailure('loaded', 'the room began without what its database has');
}

function throwIfDifferent(
  property: string,
  what: string,
  left: LeafMap<Leaf>,
  right: LeafMap<Leaf>,
): void {
  const found = differences(left, right);
  if (found.length > 0)
    throw new PropertyFailure(property, `${what}: ${describeDifferences(found)}`);
}

/** Convergence, and correction: a client shows what the room has, but for what its own app made of it. */
function checkConverged(place: Place, client: SimClient, content: LeafMap<Leaf>): void {
  const { disk, room } = place;
  const { name, store, session, traits } = client;
  const ledger = client.ledgerOf(place);
  const defaults = disk.branch === undefined ? defaultsOf(room.traits.variant) : undefined;
  const local = localOnlyLeaves(session.replica);
  const all = differences(readContent(store), content);
  const found = all.filter(({ table, row, cell, left, right }) => {
    if (left !== undefined && defaults?.get(table, row, cell) === left) return false;
    const isOwn =
      traits.variant.alters(table, cell, right) ||
      ledger.wasWithdrawn(table, row, cell) ||
      ledger.wasEnded(table, row, cell);
    return !(local.has(table, row, cell) && isOwn);
  });
  if (found.length === 0) return;
  throw new PropertyFailure(
    'convergence',
    `${name} differs from the room: ${describeDifferences(found)}`,
  );
}

/** No initial content is dropped either: what the room said of it was reported, as often as it said so. */
function checkSeeds({ name, sync, ledger }: SimClient): void {
  const misreported = sync.phase === 'stopped' ? [] : ledger.misreportedSeeds;
  if (misreported.length === 0) return;
  throw new PropertyFailure(
    'no edit is dropped',
    `${name} did not report of its seed as told: ${misreported.join(', ')}`,
  );
}

/** No edit is dropped: it was ordered, or refused by the room, or reported. */
function checkEdit(
  place: Place,
  { name }: SimClient,
  ledger: EditLedger,
  record: EditRecord,
  isRepeated: boolean,
): void {
  const { disk, gate, unrecordedPushes } = place;
  if (record.isLost || record.isLoaded || ledger.isRefused(record) || ledger.isReplaced(record))
    return;
  const { table, row, cell, leaf } = record;
  // Where an undo has put it back, the room may have it already.
  const isOwn = isUnique(leaf) && !isRepeated;
  // A room without a Store has nothing to delete, and keeps no record of who asked for it.
  if (leaf === undefined && disk.branch === undefined) return;
  let wasDealtWith = false;
  for (const push of ledger.pushesOf(record)) {
    const isUnrecorded = unrecordedPushes.has(pushKey(push.clientId, push.number));
    for (const branch of disk.journal.branches()) {
      if (!isUnrecorded && (branch.lastPushes.get(push.clientId) ?? 0) < push.number) continue;
      wasDealtWith = true;
      const changes = branch.entryOf(push.clientId, push.number)?.changes;
      // What others may have made of the leaf before need not show in a commit.
      if (!isOwn || (changes !== undefined && carries(changes, record))) return;
      // A push that became the initial content is no entry.
      if (branch.contents[1]?.get(table, row, cell) === leaf) return;
      // The answer may have been lost.
      if (gate?.isReader(name) === true) return;
      if (isExplained(place, record, push)) return;
    }
  }
  const what = `${leafName(table, row, cell)} = ${String(leaf)}`;
  const how = wasDealtWith ? 'was not applied' : 'never got there';
  throw new PropertyFailure('no edit is dropped', `${what} of ${name} ${how}`);
}

function editKey({ table, row, cell, leaf }: EditRecord): string {
  return leafName(table, row, cell) + String(leaf);
}

/** True if the room had a reason to make something else of an edit. */
function isExplained(
  { room, hooks }: Place,
  { table, cell, leaf }: EditRecord,
  push: SentPush,
): boolean {
  if (leaf === undefined || room.hookFailures > 0 || hooks.mayLock(table)) return true;
  // There was no place for it, and the answer got lost.
  if (room.traits.limits.contentBytes !== undefined) return true;
  if (room.traits.variant.alters(table, cell, leaf)) return true;
  if (table !== PAIR_TABLE && hooks.mayRefuse(leaf)) return true;
  const { variant } = room.traits;
  let mayFail = false;
  push.changes.leaves.forEach((other, otherTable) => {
    if (other === undefined || otherTable === PAIR_TABLE) return;
    if (hooks.mayFail(other) || variant.mayThrow?.(other) === true) mayFail = true;
  });
  return mayFail;
}
