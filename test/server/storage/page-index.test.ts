import { expect, test } from 'vitest';

import { ChangesBuilder } from '../../../src/protocol/changes.ts';
import { encodeContent } from '../../../src/protocol/codec.ts';
import { VALUES, type Leaf } from '../../../src/protocol/leaf.ts';
import { LeafMap } from '../../../src/protocol/leaf-map.ts';
import { PageIndex, type Page } from '../../../src/server/storage/page-index.ts';

/** An index with two pages that are stored, of the rows given. */
function indexOf(first: readonly string[], second: readonly string[]): [PageIndex, Page, Page] {
  const index = new PageIndex(1_000);
  const [one, two] = [first, second].map((rows, blob) => {
    return index.addStored({ blob, parts: 1, bytes: 600 }, new Map([['t', rows]]));
  });
  if (one === undefined || two === undefined) throw new Error('There are two.');
  return [index, one, two];
}

function contentOf(...rows: readonly string[]): LeafMap<Leaf> {
  const content = new LeafMap<Leaf>();
  for (const row of rows) content.set('t', row, 'c', 'x');
  return content;
}

const rowsOf = (page: Page): readonly string[] => [...(page.rows.get('t') ?? [])];

test('[DURABLE-4] takes what is stored for unchanged', () => {
  const [, one, two] = indexOf(['a', 'b'], ['c']);
  expect([one.isDirty, two.isDirty]).toEqual([false, false]);
  expect([rowsOf(one), rowsOf(two)]).toEqual([['a', 'b'], ['c']]);
});

test('[DURABLE-4] has a row that two stored pages have on the later one, and writes the other again', () => {
  const [, one, two] = indexOf(['a', 'b'], ['b', 'c']);
  expect([rowsOf(one), rowsOf(two)]).toEqual([['a'], ['b', 'c']]);
  expect([one.isDirty, two.isDirty]).toEqual([true, false]);
});

test('[DURABLE-4] puts neighbours together that fit on one page, which is written again', () => {
  const index = new PageIndex(1_000);
  for (const [blob, row] of ['a', 'b', 'c'].entries()) {
    index.addStored({ blob, parts: 1, bytes: 400 }, new Map([['t', [row]]]));
  }
  index.merge();
  expect(index.pages.map((page) => rowsOf(page))).toEqual([['a', 'b'], ['c']]);
  expect(index.pages.map(({ isDirty }) => isDirty)).toEqual([true, false]);
});

test('[DURABLE-4] marks the page of each row that changes, and no other', () => {
  const [index, one, two] = indexOf(['a', 'b'], ['c']);
  const changes = new ChangesBuilder();
  changes.setLeaf('t', 'b', 'c', 1);
  changes.setLeaf('t', 'none', 'c', undefined);
  index.note(changes);
  expect([one.isDirty, two.isDirty]).toEqual([true, false]);
});

test('[DURABLE-4] puts a new row on the last page, and on a new one when that is full', () => {
  const [index, , two] = indexOf(['a'], ['c']);
  const changes = new ChangesBuilder();
  changes.setLeaf('t', 'd', 'c', 'x'.repeat(500));
  changes.setLeaf('t', 'e', 'c', 1);
  changes.setLeaf(VALUES, '', 'v', 1);
  index.note(changes);
  expect(rowsOf(two)).toEqual(['c', 'd']);
  expect(index.pages.map((page) => rowsOf(page))).toEqual([['a'], ['c', 'd'], ['e']]);
  expect(index.pages.at(-1)?.rows.get(VALUES)).toEqual(new Set(['v']));
});

test('[DURABLE-4] drops a page whose rows are gone when it is read', () => {
  const [index, one] = indexOf(['a'], ['c']);
  const changes = new ChangesBuilder();
  changes.deleteRow('t', 'a');
  index.note(changes);
  expect(index.read(one, contentOf('c'))).toEqual([]);
  expect(index.pages.map((page) => rowsOf(page))).toEqual([['c']]);
});

test('[DURABLE-4] takes a page for written once it is read', () => {
  const [index, one] = indexOf(['a', 'b'], ['c']);
  const changes = new ChangesBuilder();
  changes.setLeaf('t', 'a', 'c', 'y');
  index.note(changes);
  const [read] = index.read(one, contentOf('a', 'b', 'c'));
  expect(read?.page).toBe(one);
  expect(read?.leaves.count()).toBe(2);
  expect(one.isDirty).toBe(false);
});

test.each(['a', 'é', '語', '😀'])('[DURABLE-4] cuts pages by their bytes, also of %s', (letter) => {
  const index = new PageIndex(1_000);
  const content = new LeafMap<Leaf>();
  for (let row = 0; row < 100; row += 1) content.set('t', `row ${row}`, letter, letter.repeat(30));
  index.addContent(content);
  const written = index.pages
    .flatMap((page) => index.read(page, content))
    .map(({ leaves }) => Buffer.byteLength(encodeContent(leaves)));
  expect(written.length).toBeGreaterThan(2);
  expect(Math.max(...written)).toBeLessThan(1_500);
});
