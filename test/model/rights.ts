import type { Store } from 'tinybase';

import { decodeClientMessage } from '../../src/protocol/codec.ts';
import type { Changes } from '../../src/protocol/changes.ts';
import { readLeaf } from '../../src/protocol/store-access.ts';
import { isUnique } from './edits.ts';
import { leafName } from './leaves.ts';
import type { Wire } from './network.ts';
import { PropertyFailure } from './world.ts';

/** What the room has not dealt with yet of what a socket brought. */
type Waiting = Set<string>;

/**
 * Knows which leaves came to the room only over sockets that it or its app had closed by then, or closed before they were
 * dealt with: none of them may become anything.
 */
export class Rights {
  readonly #prefix: string;
  readonly #waiting = new Map<Wire, Waiting>();
  /** How often each leaf came that counts. */
  readonly #counting = new Map<string, number>();
  /** Leaves that came and do not count, with the socket. */
  readonly #void = new Map<string, string>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** A frame reaches the room. Returns what to call when it was dealt with. */
  received(wire: Wire, frame: string): () => void {
    const isOpen = !wire.isClosedByRoom;
    this.#count(frame, isOpen ? 1 : 0, wire);
    if (!isOpen) return () => undefined;
    let waiting = this.#waiting.get(wire);
    if (waiting === undefined) this.#waiting.set(wire, (waiting = new Set()));
    waiting.add(frame);
    return () => waiting.delete(frame);
  }

  /** Changes came another way, and count. */
  posted(changes: Changes): void {
    for (const key of uniqueLeaves(changes)) this.#add(key, 1);
  }

  /** The room or its app closes the socket. What is in the Store by then counts, also if nobody was told so yet. */
  closed(wire: Wire, store: Store): void {
    for (const frame of this.#waiting.get(wire) ?? []) {
      const changes = this.#changesOf(frame);
      if (changes === undefined || !isShown(changes, store)) this.#count(frame, -1, wire);
    }
    this.#waiting.delete(wire);
  }

  /** The room's process has ended, and deals with nothing any more. */
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

  #count(frame: string, change: number, wire: Wire): void {
    const changes = this.#changesOf(frame);
    if (changes === undefined) return;
    for (const key of uniqueLeaves(changes)) {
      this.#add(key, change);
      if (change <= 0) this.#void.set(key, wire.label);
    }
  }

  #add(key: string, change: number): void {
    this.#counting.set(key, (this.#counting.get(key) ?? 0) + change);
  }

  #changesOf(frame: string): Changes | undefined {
    try {
      const message = decodeClientMessage(this.#prefix, frame);
      return message?.type === 'push' || message?.type === 'stock' ? message.changes : undefined;
    } catch {
      // The room cannot read it either.
      return undefined;
    }
  }
}

function isShown({ leaves }: Changes, store: Store): boolean {
  let shown = false;
  leaves.forEach((leaf, table, row, cell) => {
    if (isUnique(leaf) && readLeaf(store, table, row, cell) === leaf) shown = true;
  });
  return shown;
}

function uniqueLeaves({ leaves }: Changes): readonly string[] {
  const keys: string[] = [];
  leaves.forEach((leaf, table, row, cell) => {
    if (isUnique(leaf)) keys.push(`${leafName(table, row, cell)} = ${String(leaf)}`);
  });
  return keys;
}
