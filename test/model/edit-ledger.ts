import { deletesRow, type Changes } from '../../src/protocol/changes.ts';
import { VALUES, type Leaf, type TableKey } from '../../src/protocol/leaf.ts';
import type { LeafMap } from '../../src/protocol/leaf-map.ts';
import type { Push, SeedCorrection } from '../../src/protocol/messages.ts';
import type { TransactionLog } from '../../src/protocol/store-access.ts';
import type { Refusal, RefusalReason } from '../../src/client/replica/refusal.ts';
import { encodeLeaf } from '../../src/protocol/leaf.ts';
import { isUnique } from './edits.ts';
import { leafName } from './leaves.ts';
import { isListeners } from './store-variants.ts';

/** What a user made of one leaf in one transaction. */
export interface EditRecord {
  readonly table: TableKey;
  readonly row: string;
  readonly cell: string;
  readonly leaf: Leaf | undefined;
  /** Its place among the edits of all tabs of its browser. */
  readonly place: number;
  /** True if it was made while nothing was sent: later edits of the same leaf may take its place. */
  isHeld: boolean;
  /** True if it went with the tab in which it was made, and nothing had promised to keep it. */
  isLost: boolean;
  /** True if content that replaced it while it was held had the same (VIEW-9). */
  isLoaded: boolean;
  /** True if an undo or a redo made it: the leaf was there before. */
  readonly isRepeated: boolean;
}

/** A push that left its client. */
export interface SentPush {
  readonly clientId: string;
  readonly number: number;
  readonly changes: Changes;
}

/** A leaf of a seed that the room refused, and how often it said so and the client reported it, since it was first said. */
interface RefusedSeedLeaf {
  readonly record: EditRecord;
  told: number;
  reported: number;
}

/** The reasons for which what is refused stays at its client. */
const STAYS_LOCAL: ReadonlySet<RefusalReason> = new Set([
  'too-large',
  'malformed',
  'undelivered',
  'destroyed',
]);

/** The outcomes of the edits of all tabs of one browser. One tab may send and report the edits of another. */
class KnownOutcomes {
  /** The number of edits of all tabs. */
  count = 0;
  readonly ledgers: EditLedger[] = [];
  /** The row deletions of all tabs, each with the ledger of its tab and the number of edits before it. */
  readonly deletions: {
    readonly ledger: EditLedger;
    readonly place: number;
    readonly changes: Changes;
    readonly isHeld: boolean;
  }[] = [];
  readonly refused: Set<string> = new Set();
  readonly withdrawn: Set<string> = new Set();
  /** Leaves and rows that a session which ended had not confirmed. */
  readonly ended: Set<string> = new Set();
  /** Every push that ever left, by client id and number. */
  readonly sent: Map<string, Map<number, Changes>> = new Map();
  /** Those of them that the Store made in reaction to a commit (DERIVE-1). */
  readonly reactions: Set<Changes> = new Set();
}

/** Everything that one user has done in one tab for one room, and what became known of it. */
export class EditLedger {
  readonly records: EditRecord[] = [];
  /** The address of the room that the edits belong to. */
  readonly address: string;
  readonly #outcomes: KnownOutcomes;
  /** The reported refusals of seeds, by leaf and reason. */
  readonly #refusedSeeds = new Map<string, RefusedSeedLeaf>();

  /** The number of transactions. */
  transactions = 0;

  /** `sibling` is the ledger of another tab of the same browser. */
  constructor(address: string, sibling?: EditLedger) {
    this.address = address;
    this.#outcomes = sibling === undefined ? new KnownOutcomes() : sibling.#outcomes;
    this.#outcomes.ledgers.push(this);
  }

  add({ changes, before }: TransactionLog, isHeld: boolean, isRepeated: boolean): void {
    this.transactions += 1;
    if (changes.deletedRows.size > 0)
      this.#outcomes.deletions.push({
        ...{ ledger: this, place: this.#outcomes.count, changes, isHeld },
      });
    before.forEach((_before, table, row, cell) => {
      const leaf = changes.leaves.get(table, row, cell);
      this.#add({ table, row, cell, leaf, isHeld, isRepeated });
    });
  }

  #add(record: Omit<EditRecord, 'place' | 'isLost' | 'isLoaded'>): void {
    const place = (this.#outcomes.count += 1);
    this.records.push({ ...record, place, isLost: false, isLoaded: false });
  }

  /** True if an undo or a redo has ever put that leaf back. */
  hasRepeated(table: TableKey, row: string, cell: string, leaf: Leaf | undefined): boolean {
    return this.records.some(
      (record) =>
        record.isRepeated &&
        record.leaf === leaf &&
        record.table === table &&
        record.row === row &&
        record.cell === cell,
    );
  }

  sent(clientId: string, { number, changes, isDerived }: Push): void {
    let pushes = this.#outcomes.sent.get(clientId);
    if (pushes === undefined)
      this.#outcomes.sent.set(clientId, (pushes = new Map<number, Changes>()));
    pushes.set(number, changes);
    if (isDerived === true) this.#outcomes.reactions.add(changes);
  }

  /** The room has answered a PUT: that is to be reported. */
  toldOfSeed(seed: LeafMap<Leaf>, { correction, reason }: SeedCorrection): void {
    seed.forEach((leaf, table, row, cell) => {
      if (!correction.leaves.has(table, row, cell)) return;
      // What is refused as a whole stays at its client (SEED-2).
      if (correction.leaves.count() === seed.count())
        this.#outcomes.withdrawn.add(leafName(table, row, cell) + String(leaf));
      const key = `${leafName(table, row, cell)}${String(leaf)} ${reason}`;
      const refused = this.#refusedSeeds.get(key);
      if (refused !== undefined) {
        refused.told += 1;
        return;
      }
      const record = {
        ...{ table, row, cell, leaf },
        ...{ place: 0, isHeld: false, isLost: false, isLoaded: false, isRepeated: false },
      };
      this.#refusedSeeds.set(key, { record, told: 1, reported: 0 });
    });
  }

  /**
   * The leaves of seeds that were reported less or more often than the room has refused them. A push may carry the same leaf,
   * a default of a schema for one: the room may have refused it there too, and each such push may be reported once.
   */
  get misreportedSeeds(): readonly string[] {
    const misreported: string[] = [];
    for (const [key, { record, told, reported }] of this.#refusedSeeds) {
      const pushes = [...this.pushesOf(record)].length;
      if (reported < told || reported > told + pushes)
        misreported.push(`${key} (refused ${told}, reported ${reported})`);
    }
    return misreported;
  }

  refused(refusals: readonly Refusal[]): void {
    for (const refusal of refusals) {
      const report = `${refusalKey(refusal)} ${refusal.reason}`;
      const seed = this.#refusedSeeds.get(report);
      if (seed !== undefined) seed.reported += 1;
      // Of these the room has processed the push, or so it is believed.
      if (refusal.reason === 'unknown') continue;
      this.#outcomes.refused.add(refusalKey(refusal));
      if (refusal.reason === 'destroyed') this.#outcomes.ended.add(addressKey(refusal));
      if (STAYS_LOCAL.has(refusal.reason)) this.#outcomes.withdrawn.add(refusalKey(refusal));
    }
  }

  isRefused({ table, row, cell, leaf }: EditRecord): boolean {
    return (
      this.#outcomes.refused.has(leafName(table, row, cell) + String(leaf)) ||
      (leaf === undefined &&
        table !== VALUES &&
        this.#outcomes.refused.has(leafName(table, row, '*')))
    );
  }

  /** Returns the edits of this ledger that changes carry, and that cannot be anybody else's. */
  madeIn(changes: Changes): readonly EditRecord[] {
    return this.records.filter(
      (record) => isUnique(record.leaf) && !isListeners(record.cell) && carries(changes, record),
    );
  }

  /** True if the user has made that of the leaf, in any tab. */
  hasMade({ table, row, cell, leaf }: EditRecord): boolean {
    return this.#outcomes.ledgers.some(({ records }) =>
      records.some(
        (record) =>
          record.leaf === leaf &&
          record.table === table &&
          record.row === row &&
          record.cell === cell,
      ),
    );
  }

  /** The session ends: what it reports of edits that are not confirmed, it reports as one. */
  sessionEnded(): void {
    for (const record of this.records) record.isHeld = true;
  }

  /**
   * The session moves to another room: the same, also of `pushes` that it has taken over from another tab, and a listener of the app
   * may have written again since.
   */
  left(pushes: readonly Changes[], mayAlter: (record: EditRecord) => boolean): void {
    this.sessionEnded();
    for (const { records } of this.#outcomes.ledgers)
      for (const record of records) if (carriesAny(pushes, record)) record.isHeld = true;
    for (const record of this.records)
      if (isListeners(record.cell) || mayAlter(record)) record.isLost = true;
  }

  /** Loaded content takes the place of held edits: the client goes on with `shown`. */
  loaded(held: Changes, shown: LeafMap<Leaf>): void {
    for (const record of this.records) {
      const { table, row, cell, leaf, isHeld } = record;
      if (isHeld && carries(held, record) && shown.get(table, row, cell) === leaf)
        record.isLoaded = true;
    }
  }

  /**
   * The tab is closed: what is neither sent nor among the kept pushes goes with it. `own` are those in the memory of this tab. Of
   * others, nobody can tell that they are this tab's if another tab has made the same, such as a deletion.
   */
  tabClosed(kept: readonly Changes[], own: readonly Changes[] = []): void {
    this.#refusedSeeds.clear();
    for (const record of this.records) {
      const isKept = carriesAny(kept, record) && this.#isAlone(record);
      if (!isKept && !carriesAny(own, record)) record.isLost = true;
    }
  }

  /** True if no other tab has made the same. */
  #isAlone({ table, row, cell, leaf }: EditRecord): boolean {
    return this.#outcomes.ledgers.every(
      (ledger) =>
        ledger === this ||
        !ledger.records.some(
          (other) =>
            other.leaf === leaf &&
            other.table === table &&
            other.row === row &&
            other.cell === cell,
        ),
    );
  }

  /** Drops edits that were nowhere but in the memory of a tab. */
  gone(memory: readonly Changes[], kept: readonly Changes[]): void {
    for (const record of this.records)
      if (carriesAny(memory, record) && !carriesAny(kept, record)) record.isLost = true;
  }

  /** True if an edit of that leaf, or the deletion of its row, was too large to be sent, or not to be read, or came to nothing with a seed. */
  wasWithdrawn(table: TableKey, row: string, cell: string): boolean {
    const name = leafName(table, row, cell);
    const rowKey = table === VALUES ? undefined : leafName(table, row, '*');
    for (const key of this.#outcomes.withdrawn)
      if (key.startsWith(name) || key === rowKey) return true;
    return false;
  }

  /**
   * True if an edit of that leaf, or the deletion of its row, was reported as one of a client that has ended. If a page had taken
   * it over, and the storage was cleared before that was durable, the leaf stays as it is in that page.
   */
  wasEnded(table: TableKey, row: string, cell: string): boolean {
    const { ended } = this.#outcomes;
    return (
      ended.has(leafName(table, row, cell)) ||
      (table !== VALUES && ended.has(leafName(table, row, '*')))
    );
  }

  /** True if the user has ever made anything of that leaf, in any tab. */
  hasEdited(table: TableKey, row: string, cell: string): boolean {
    return this.#outcomes.ledgers.some(({ records }) =>
      records.some(
        (record) => record.table === table && record.row === row && record.cell === cell,
      ),
    );
  }

  /** What a push carried. */
  pushOf(clientId: string, number: number): Changes | undefined {
    return this.#outcomes.sent.get(clientId)?.get(number);
  }

  /** True if that push was a reaction of the Store. */
  isReaction(push: Changes): boolean {
    return this.#outcomes.reactions.has(push);
  }

  /** The pushes that carried that edit. */
  *pushesOf(record: EditRecord): Iterable<SentPush> {
    for (const [clientId, pushes] of this.#outcomes.sent) {
      for (const [number, changes] of pushes)
        if (carries(changes, record)) yield { clientId, number, changes };
    }
  }

  /**
   * True if, while nothing was sent, the same user or their app has made something else of that leaf: in this tab, or in one that
   * goes on with what this one has kept. That one, or this one after a reload, may have deleted the row before it showed the leaf.
   * Its edits from before it knew of the kept ones lie above these, also if they were made earlier (OFFLINE-2).
   */
  isReplaced(record: EditRecord): boolean {
    if (this.wasEnded(record.table, record.row, record.cell)) return true;
    if (!record.isHeld) return false;
    const isDeleted = this.#outcomes.deletions.some(
      ({ ledger, place, changes, isHeld }) =>
        ((ledger !== this && isHeld) || place >= record.place) &&
        deletesRow(changes, record.table, record.row),
    );
    if (isDeleted) return true;
    return this.#outcomes.ledgers.some((ledger) =>
      ledger.records.some(
        ({ place, table, row, cell, isHeld }) =>
          (place > record.place || (ledger !== this && isHeld)) &&
          table === record.table &&
          row === record.row &&
          cell === record.cell,
      ),
    );
  }
}

/** True if changes make that of the leaf. */
export function carries(changes: Changes, { table, row, cell, leaf }: EditRecord): boolean {
  if (changes.leaves.has(table, row, cell)) return changes.leaves.get(table, row, cell) === leaf;
  return leaf === undefined && deletesRow(changes, table, row);
}

function carriesAny(all: readonly Changes[], record: EditRecord): boolean {
  return all.some((changes) => carries(changes, record));
}

function addressKey(refusal: Refusal): string {
  switch (refusal.type) {
    case 'row':
      return leafName(refusal.tableId, refusal.rowId, '*');
    case 'cell':
      return leafName(refusal.tableId, refusal.rowId, refusal.cellId);
    case 'value':
      return leafName(VALUES, '', refusal.valueId);
  }
}

function refusalKey(refusal: Refusal): string {
  const address = addressKey(refusal);
  if (refusal.type === 'row') return address;
  const leaf = refusal.type === 'cell' ? refusal.cell : refusal.value;
  return address + String(encodeLeaf(leaf));
}
