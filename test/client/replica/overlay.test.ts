import { describe, expect, test } from 'vitest';

import { HELD, Overlay, viewOf } from '../../../src/client/replica/overlay.ts';
import { decodeChanges } from '../../../src/protocol/codec.ts';
import type { Changes } from '../../../src/protocol/changes.ts';
import type { Leaf, TableKey } from '../../../src/protocol/leaf.ts';
import { LeafMap } from '../../../src/protocol/leaf-map.ts';

const changesOf = (json: unknown): Changes => decodeChanges(JSON.stringify(json));

/** The leaves of the row `r` of the table `t` before the change. */
function cellsBefore(cells: Readonly<Record<string, Leaf | undefined>>): LeafMap<Leaf | undefined> {
  const before = new LeafMap<Leaf | undefined>();
  for (const [cell, leaf] of Object.entries(cells)) before.set('t', 'r', cell, leaf);
  return before;
}

/** An overlay with what it has shown, by cell id. */
function shownBy(): {
  readonly overlay: Overlay;
  readonly shown: Map<string, Leaf | undefined>;
  readonly show: (leaf: Leaf | undefined, table: TableKey, row: string, cell: string) => void;
} {
  const shown = new Map<string, Leaf | undefined>();
  return {
    overlay: new Overlay(),
    shown,
    show: (leaf, _table, _row, cell) => shown.set(cell, leaf),
  };
}

type Address = readonly [table: TableKey, row: string, cell: string];

/** The base of a covered leaf. */
function baseAt(overlay: Overlay, ...address: Address): { leaf: Leaf | undefined } | undefined {
  const cover = overlay.get(...address);
  return cover && { leaf: cover.base };
}

/** The view of a covered leaf. */
function viewAt(overlay: Overlay, ...address: Address): { leaf: Leaf | undefined } | undefined {
  const cover = overlay.get(...address);
  return cover && { leaf: viewOf(cover) };
}

const setA = changesOf([{ t: { r: { a: 2 } } }, {}]);
const setAAgain = changesOf([{ t: { r: { a: 3 } } }, {}]);
const deleteRow = changesOf([{}, {}, { t: ['r'] }]);

describe('an overlay', () => {
  test('[VIEW-2] keeps the base of what is pending, and nothing once it is not', () => {
    const { overlay, show } = shownBy();
    expect(overlay.isEmpty).toBe(true);
    overlay.write(1, setA, cellsBefore({ a: 1 }));
    expect(overlay.get('t', 'r', 'a')).toBeDefined();
    expect(overlay.get('t', 'r', 'b')).toBeUndefined();
    expect(baseAt(overlay, 't', 'r', 'a')).toEqual({ leaf: 1 });
    expect(viewAt(overlay, 't', 'r', 'a')).toEqual({ leaf: 2 });
    overlay.setBase('t', 'r', 'a', 5, show);
    overlay.acknowledge(1, setA);
    expect(overlay.isEmpty).toBe(true);
    expect(baseAt(overlay, 't', 'r', 'a')).toBeUndefined();
  });

  test('[VIEW-2] keeps nothing of leaves that only the room touches', () => {
    const { overlay, shown, show } = shownBy();
    overlay.setBase('t', 'r', 'a', 1, show);
    expect(shown).toEqual(new Map([['a', 1]]));
    expect(overlay.isEmpty).toBe(true);
  });

  test('[VIEW-4] folds pushes one by one', () => {
    const { overlay } = shownBy();
    overlay.write(1, setA, cellsBefore({ a: 1 }));
    overlay.write(2, setAAgain, cellsBefore({ a: 2 }));
    overlay.acknowledge(1, setA);
    expect(baseAt(overlay, 't', 'r', 'a')).toEqual({ leaf: 2 });
    expect(viewAt(overlay, 't', 'r', 'a')).toEqual({ leaf: 3 });
  });

  test('[ONCE-4] drops a push and shows what is beneath it', () => {
    const { overlay, shown, show } = shownBy();
    overlay.write(1, setA, cellsBefore({ a: 1 }));
    overlay.drop(1, setA, show);
    expect(shown).toEqual(new Map([['a', 1]]));
    expect(overlay.isEmpty).toBe(true);
  });

  test('[ONCE-4] drops a push and goes on showing what is above it', () => {
    const { overlay, shown, show } = shownBy();
    overlay.write(1, setA, cellsBefore({ a: 1 }));
    overlay.write(2, setAAgain, cellsBefore({ a: 2 }));
    overlay.drop(1, setA, show);
    expect(shown).toEqual(new Map([['a', 3]]));
    expect(baseAt(overlay, 't', 'r', 'a')).toEqual({ leaf: 1 });
  });

  test('[VIEW-5] covers cells that nobody here has seen by a pending deletion of their row', () => {
    const { overlay, shown, show } = shownBy();
    overlay.write(1, deleteRow, cellsBefore({ a: 1 }));
    overlay.setBase('t', 'r', 'new', 7, show);
    expect(shown).toEqual(new Map([['new', undefined]]));
    expect(baseAt(overlay, 't', 'r', 'new')).toEqual({ leaf: 7 });
    overlay.acknowledge(1, deleteRow);
    expect(overlay.isEmpty).toBe(true);
  });

  test('[VIEW-5] gives such a cell back where the deletion was dropped', () => {
    const { overlay, shown, show } = shownBy();
    overlay.write(1, deleteRow, cellsBefore({ a: 1 }));
    overlay.setBase('t', 'r', 'new', 7, show);
    overlay.drop(1, deleteRow, show);
    expect(shown).toEqual(
      new Map([
        ['a', 1],
        ['new', 7],
      ]),
    );
    expect(overlay.isEmpty).toBe(true);
  });

  test('[VIEW-2] forgets the deletion of a row that nobody saw a cell of', () => {
    const { overlay, shown, show } = shownBy();
    overlay.write(1, deleteRow, cellsBefore({}));
    expect(overlay.isEmpty).toBe(false);
    overlay.acknowledge(1, deleteRow);
    expect(overlay.isEmpty).toBe(true);
    overlay.setBase('t', 'r', 'new', 7, show);
    expect(shown).toEqual(new Map([['new', 7]]));
  });

  test('[VIEW-5] puts a cell that is set after the deletion of its row on top of it', () => {
    const { overlay, shown, show } = shownBy();
    overlay.write(1, deleteRow, cellsBefore({ a: 1 }));
    overlay.write(2, setA, cellsBefore({ a: undefined }));
    overlay.drop(1, deleteRow, show);
    expect(shown).toEqual(new Map([['a', 2]]));
    expect(baseAt(overlay, 't', 'r', 'a')).toEqual({ leaf: 1 });
    overlay.acknowledge(2, setA);
    expect(overlay.isEmpty).toBe(true);
  });

  test('[VIEW-8] numbers what was held when it becomes a push', () => {
    const { overlay } = shownBy();
    overlay.write(1, setA, cellsBefore({ a: 1 }));
    overlay.write(HELD, setAAgain, cellsBefore({ a: 2 }));
    overlay.write(HELD, deleteRow, cellsBefore({ a: 3 }));
    overlay.acknowledge(1, setA);
    overlay.renumberHeld(2, deleteRow);
    expect(viewAt(overlay, 't', 'r', 'a')).toEqual({ leaf: undefined });
    overlay.acknowledge(2, deleteRow);
    expect(overlay.isEmpty).toBe(true);
  });

  test('[LOCAL-2] shows what is local-only over everything, until base or push set the leaf', () => {
    const { overlay, shown, show } = shownBy();
    const local = { leaf: 9, origin: 'edit' } as const;
    overlay.setLocal('t', 'r', 'a', local, 1);
    expect(viewAt(overlay, 't', 'r', 'a')).toEqual({ leaf: 9 });
    overlay.setBase('t', 'r', 'a', 2, show);
    expect(shown).toEqual(new Map([['a', 2]]));
    expect(overlay.isEmpty).toBe(true);
    overlay.setLocal('t', 'r', 'a', local, 1);
    overlay.write(1, setA, cellsBefore({ a: 9 }));
    expect(baseAt(overlay, 't', 'r', 'a')).toEqual({ leaf: 1 });
    expect(viewAt(overlay, 't', 'r', 'a')).toEqual({ leaf: 2 });
  });

  test.each([
    ['reaction', undefined, 1],
    ['edit', 9, 9],
    ['derived', 9, 9],
  ] as const)('[LOCAL-2] a %s ends with the push beneath it, or not', (origin, local, view) => {
    const { overlay, shown, show } = shownBy();
    overlay.write(1, setA, cellsBefore({ a: 1 }));
    overlay.write(2, setAAgain, cellsBefore({ a: 2 }));
    overlay.setLocal('t', 'r', 'a', { leaf: 9, origin }, undefined);
    overlay.drop(1, setA, show);
    expect(shown).toEqual(new Map([['a', 9]]));
    overlay.drop(2, setAAgain, show);
    expect(shown).toEqual(new Map([['a', view]]));
    expect(viewAt(overlay, 't', 'r', 'a')?.leaf).toBe(local);
    expect(overlay.localOnly).toBe(local === undefined ? 0 : 1);
  });

  test('[ONCE-7] leaves what a push showed in place, local-only, unless a later one covers it', () => {
    const { overlay } = shownBy();
    const both = changesOf([{ t: { r: { a: 2, b: 2 } } }, {}]);
    overlay.write(1, both, cellsBefore({ a: 1, b: 1 }));
    overlay.write(2, setAAgain, cellsBefore({ a: 2 }));
    overlay.localise(1, both);
    expect(viewAt(overlay, 't', 'r', 'a')).toEqual({ leaf: 3 });
    expect(viewAt(overlay, 't', 'r', 'b')).toEqual({ leaf: 2 });
    overlay.acknowledge(2, setAAgain);
    expect(overlay.get('t', 'r', 'a')).toBeUndefined();
    expect(overlay.get('t', 'r', 'b')?.local).toEqual({ leaf: 2, origin: 'edit' });
  });

  test('[DERIVE-2] gives what is to be pushed once saving starts, and only that', () => {
    const { overlay } = shownBy();
    overlay.setLocal('t', 'r', 'a', { leaf: 9, origin: 'derived' }, 1);
    overlay.setLocal('t', 'r', 'b', { leaf: 9, origin: 'reaction' }, 1);
    const { changes, before } = overlay.derived();
    expect([changes.leaves.count(), changes.leaves.get('t', 'r', 'a')]).toEqual([1, 9]);
    expect(before.get('t', 'r', 'a')).toBe(1);
  });

  test('forgets everything when told to', () => {
    const { overlay } = shownBy();
    overlay.write(1, deleteRow, cellsBefore({ a: 1 }));
    overlay.clear();
    expect(overlay.isEmpty).toBe(true);
  });
});
