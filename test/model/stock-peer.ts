import * as events from '../../src/protocol/events/event-from-room.ts';
import { readFrame } from '../../src/protocol/frame.ts';
import {
  applyChangesToLeaves,
  ALL_ROWS,
  ChangesBuilder,
  type Changes,
} from '../../src/protocol/changes.ts';
import { decodeRoomMessage, encodeClientMessage } from '../../src/protocol/codec.ts';
import type { Leaf, TableKey } from '../../src/protocol/leaf.ts';
import { LeafMap } from '../../src/protocol/leaf-map.ts';
import type { Choices } from './choices.ts';
import type { UniqueLeaves } from './edits.ts';
import { leafName } from './leaves.ts';
import type { ClientEnd, Network, Wire } from './network.ts';
import type { RoomProcess } from './room-process.ts';
import { PropertyFailure } from './world.ts';

/** The errors with which a gate refuses. */
const OF_THE_GATE: ReadonlySet<string> = new Set(['expired', 'forbidden', 'unavailable']);

/** A TinyBase peer that knows nothing of versions: sends changes, believes what it gets. */
export class StockPeer implements ClientEnd {
  readonly name: string;
  /** The number of changes that it has made. */
  edits = 0;
  wire: Wire | undefined;
  readonly #network: Network;
  readonly #prefix: string;
  readonly #held: LeafMap<Leaf> = new LeafMap();
  readonly #room: RoomProcess;
  /** True if it was here before the room had a Store, and so has seen everything. */
  #hasSeenAll = false;
  /** Leaves that this peer has asked for or was told of on this socket, and so must be right about in the end. */
  #concerned = new LeafMap<true>();

  constructor(name: string, network: Network, prefix: string, room: RoomProcess) {
    this.name = name;
    this.#room = room;
    this.#network = network;
    this.#prefix = prefix;
    this.wire = network.connect(this);
  }

  opened(): void {
    this.#held.clear();
    this.#concerned = new LeafMap();
    this.#hasSeenAll = !this.#room.mayHaveStore;
  }

  closed(): void {
    this.#concerned = new LeafMap();
    this.wire = this.#network.connect(this);
  }

  received(frame: string): void {
    // TinyBase's own client ignores events, too.
    if (readFrame(this.#prefix, frame)?.letter === events.letter) return;
    const message = decodeRoomMessage(this.#prefix, frame);
    // The room closes a peer whose token is not good: TinyBase's own client ignores the error before that.
    if (message?.type === 'error' && OF_THE_GATE.has(message.code)) return;
    // And a mark, which comes before the room closes it (JOIN-8).
    if (message?.type === 'mark') return;
    if (message?.type !== 'stock')
      throw new PropertyFailure('stock', `${this.name} was sent ${frame}`);
    this.#note(message.changes);
    applyChangesToLeaves(this.#held, message.changes);
  }

  /** Changes its Store and tells the room, which does not listen as long as it has no Store. */
  edit(choices: Choices, unique: UniqueLeaves): void {
    if (this.wire?.clientState !== 'open') return;
    this.edits += 1;
    const changes = new ChangesBuilder();
    const table = choices.pick(['t', 'u']);
    const row = choices.pick(['r', 's']);
    if (choices.percent(20)) changes.deleteRow(table, row);
    else if (choices.percent(10)) changes.deleteTable(table);
    else {
      const leaf = choices.percent(25)
        ? undefined
        : choices.percent(50)
          ? unique.number()
          : `s${unique.number()}`;
      changes.setLeaf(table, row, choices.pick(['a', 'b', 'c']), leaf);
    }
    if (this.#room.hasStore) {
      this.#note(changes);
      applyChangesToLeaves(this.#held, changes);
    }
    this.#network.sendToRoom(
      this.wire,
      encodeClientMessage(this.#prefix, { type: 'stock', changes }),
    );
  }

  /** The last frame that it saw of a leaf is right (STOCK-2). */
  checkTold(content: LeafMap<Leaf>): void {
    if (this.#hasSeenAll)
      content.forEach((_leaf, table, row, cell) => this.#concerned.set(table, row, cell, true));
    this.#concerned.forEach((_true, table, row, cell) => {
      const held = this.#held.get(table, row, cell);
      const actual = content.get(table, row, cell);
      if (held === actual) return;
      const what = `${leafName(table, row, cell)} is ${String(held)} at ${this.name} and ${String(actual)} in the room`;
      throw new PropertyFailure('stock', what);
    });
  }

  #note(changes: Changes): void {
    const note = (table: TableKey, row: string, cell: string): void =>
      this.#concerned.set(table, row, cell, true);
    for (const [table, rows] of changes.deletedRows) {
      for (const row of rows === ALL_ROWS ? this.#held.rows(table).keys() : rows) {
        for (const cell of this.#held.cells(table, row).keys()) note(table, row, cell);
      }
    }
    changes.leaves.forEach((_leaf, table, row, cell) => note(table, row, cell));
  }
}
