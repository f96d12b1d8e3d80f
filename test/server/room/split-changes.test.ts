import { expect, test } from 'vitest';

import { composeChanges } from '../../../src/protocol/changes.ts';
import { encodeChanges } from '../../../src/protocol/codec.ts';
import { changesSize } from '../../../src/server/writes/content-size.ts';
import { splitChanges } from '../../../src/server/room/split-changes.ts';
import { changesOf } from '../../support/fake-connection.ts';

const changes = changesOf({
  gone: undefined,
  pets: Object.fromEntries(
    Array.from({ length: 50 }, (_, index) => [
      `row ${index}`,
      index % 2 === 0 ? undefined : { cell: index, other: 'x' },
    ]),
  ),
  value: 'x'.repeat(500),
});

test('leaves small changes whole', () => {
  expect([...splitChanges(changes, 100_000)]).toEqual([changes]);
});

test('cuts large ones into parts that do the same together', () => {
  const parts = [...splitChanges(changes, 300)];
  expect(parts.length).toBeGreaterThan(5);
  for (const part of parts) expect(changesSize(part)).toBeLessThan(800);
  expect(encodeChanges(composeChanges(parts))).toBe(encodeChanges(changes));
});
