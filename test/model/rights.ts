import type { Store } from 'tinybase';

import { decodeClientMessage } from '../../src/protocol/codec.ts';
import type { Changes } from '../../src/protocol/changes.ts';
import {
  encodeLeaf,
  VALUES,
  type Leaf,
  type StoreLeaf,
  type TableKey,
} from '../../src/protocol/leaf.ts';
import { isUnique, LARGE } from './edits.ts';
import { leafName } from './leaves.ts';
import type { Wire } from './network.ts';
import { PropertyFailure } from './world.ts';

/** The frames of a socket that the room has not handled yet. */
type Waiting = Set<Changes>;

/**
 * Knows which leaves came to the room only over sockets that it or its app had closed by then, or closed before they were
 * processed: none of them may become anything.
 */
export class Rights {
  readonly #prefix: string;
  readonly #waiting = new Map<Wire, Waiting>();
  /** The number of times that each leaf came and counts. */
  readonly #counting = new Map<string, number>();
  /** Leaves that the room's Store has had. */
  readonly #applied = new Set<string>();
  /** Leaves that came and do not count, with the socket. */
  readonly #void = new Map<string, string>();

  readonly #isVoid: (wire: Wire) => boolean;

  /** @param isVoid true if nothing that comes over a socket counts, because of its token */
  constructor(prefix: string, isVoid: (wire: Wire) => boolean) {
    this.#prefix = prefix;
    this.#isVoid = isVoid;
  }

  /** A frame reaches the room. Returns what to call when it was processed. */
  received(wire: Wire, frame: string): () => void {
    const isOpen = !wire.isClosedByRoom && !this.#isVoid(wire);
    const changes = this.#changesOf(wire, frame);
    if (changes === undefined) return () => undefined;
    this.#count(changes, isOpen ? 1 : 0, wire);
    if (!isOpen) return () => undefined;
    let waiting = this.#waiting.get(wire);
    if (waiting === undefined) this.#waiting.set(wire, (waiting = new Set()));
    waiting.add(changes);
    return () => waiting.delete(changes);
  }

  /** Counts every later change of the room's Store, even one that nobody hears of because a socket is closed. */
  watch(store: Store): void {
    const note = (
      table: TableKey,
      row: string,
      cell: string,
      leaf: StoreLeaf | undefined,
    ): void => {
      const encoded = encodeLeaf(leaf);
      if (isUnique(encoded)) this.#applied.add(leafKey(encoded, table, row, cell));
    };
    store.addCellListener(null, null, null, (_store, table, row, cell, now) =>
      note(table, row, cell, now),
    );
    store.addValueListener(null, (_store, id, now) => note(VALUES, '', id, now));
  }

  /** The room or its app closes the socket. */
  closed(wire: Wire): void {
    for (const changes of this.#waiting.get(wire) ?? []) this.#count(changes, -1, wire);
    this.#waiting.delete(wire);
  }

  /** The room's process has ended, and processes nothing any more. */
  forget(): void {
    this.#waiting.clear();
  }

  /** Throws if anything of these changes should have come to nothing. */
  check(changes: Changes): void {
    for (const key of uniqueLeaves(changes)) {
      const wire = this.#void.get(key);
      if (wire === undefined || (this.#counting.get(key) ?? 0) > 0) continue;
      throw new PropertyFailure(
        'closed',
        `${key} was applied, and came over ${wire}, which was closed`,
      );
    }
  }

  #count(changes: Changes, change: number, wire: Wire): void {
    const keys = uniqueLeaves(changes);
    if (change < 0 && keys.some((key) => this.#applied.has(key))) return;
    for (const key of keys) {
      this.#add(key, change);
      if (change <= 0) this.#void.set(key, wire.label);
    }
  }

  #add(key: string, change: number): void {
    this.#counting.set(key, (this.#counting.get(key) ?? 0) + change);
  }

  /** With the last part of a push, those of the push. */
  #changesOf(wire: Wire, frame: string): Changes | undefined {
    try {
      const message = decodeClientMessage(this.#prefix, frame);
      const whole = message?.type === 'part' ? wire.heardParts.take(message) : message;
      return whole?.type === 'push' || whole?.type === 'stock' ? whole.changes : undefined;
    } catch {
      // The room cannot read it either.
      return undefined;
    }
  }
}

function uniqueLeaves({ leaves }: Changes): readonly string[] {
  const keys: string[] = [];
  leaves.forEach((leaf, table, row, cell) => {
    if (isUnique(leaf)) keys.push(leafKey(leaf, table, row, cell));
  });
  return keys;
}

function leafKey(leaf: Leaf | undefined, table: TableKey, row: string, cell: string): string {
  // Some rooms clamp large numbers, and some make texts upper case: others may send what came of one.
  const clamped = typeof leaf === 'number' && leaf >= LARGE ? leaf - LARGE : leaf;
  return `${leafName(table, row, cell)} = ${String(clamped).toLowerCase()}`;
}
