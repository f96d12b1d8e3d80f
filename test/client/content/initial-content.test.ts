import * as fc from 'fast-check';
import { createStore, type Content } from 'tinybase';
import { expect, test } from 'vitest';

import { readInitialContent } from '../../../src/client/content/initial-content.ts';
import { encodeContent } from '../../../src/protocol/codec.ts';
import { readContent } from '../../../src/protocol/store-access.ts';

class Point {
  readonly x = 1;
}

/** Whatever an app may give in place of a Cell or Value. */
const arbitraryLeaf = fc.oneof(
  fc.string(),
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.object({ maxDepth: 2 }),
  fc.array(fc.jsonValue(), { maxLength: 2 }),
  fc.constantFrom<unknown>(
    null,
    undefined,
    Number.NaN,
    Infinity,
    1n,
    '\uFFFC',
    '\uFFFD{"a":1}',
    '\uFFFDbroken',
    new Date(0),
    new Map(),
    new Point(),
    [new Point()],
    { nested: { date: new Date(0) } },
    Object.create(null),
    () => 1,
    Symbol('s'),
    { tooLarge: 1n },
  ),
);
const arbitraryId = fc.oneof(fc.constantFrom('', 'a', 'constructor', 'toString', '1'), fc.string());
const among = <T>(
  arbitrary: fc.Arbitrary<T>,
): fc.Arbitrary<T | Record<string, unknown> | unknown[]> =>
  fc.oneof({ weight: 9, arbitrary }, { weight: 1, arbitrary: arbitraryLeaf }) as fc.Arbitrary<T>;
const cells = among(fc.dictionary(arbitraryId, arbitraryLeaf, { maxKeys: 3 }));
const rows = among(fc.dictionary(arbitraryId, cells, { maxKeys: 3 }));
const tables = among(fc.dictionary(arbitraryId, rows, { maxKeys: 3 }));
const arbitraryContent = among(
  fc.oneof(fc.tuple(tables, cells), fc.tuple(tables), fc.tuple(), fc.constant({ 0: { t: {} } })),
);

test('initial content is taken as far as a Store takes it', () => {
  fc.assert(
    fc.property(arbitraryContent, (content) => {
      const taken = encodeContent(readInitialContent(content));
      const store = createStore().setContent(content as Content);
      expect(JSON.parse(taken)).toEqual(JSON.parse(encodeContent(readContent(store))));
    }),
    { numRuns: 2000 },
  );
});

test('initial content that an app has frozen is taken', () => {
  const content = Object.freeze([
    Object.freeze({ t: Object.freeze({ r: Object.freeze({ c: 1 }) }) }),
    Object.freeze({}),
  ]);
  expect(JSON.parse(encodeContent(readInitialContent(content)))).toEqual([
    { t: { r: { c: 1 } } },
    {},
  ]);
});
