import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { utf8Length } from '../../src/protocol/utf8.ts';

const texts = fc.array(
  fc.oneof(fc.constantFrom('a', 'é', '€', '💾', '\uD800', '\uDC00'), fc.string({ unit: 'binary' })),
  { maxLength: 12 },
);

test('says on which side of the limit a text is', () => {
  fc.assert(
    fc.property(texts, fc.nat(60), (parts, limit) => {
      const text = parts.join('');
      const exact = new TextEncoder().encode(text).length;
      expect(utf8Length(text, limit) > limit).toBe(exact > limit);
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['', 0],
  ['abc', 3],
  ['€', 3],
  ['💾', 4],
  ['\uD800', 3],
])('knows the limit that just takes %j', (text, bytes) => {
  expect(utf8Length(text, bytes)).toBeLessThanOrEqual(bytes);
  expect(utf8Length(text, bytes - 1)).toBeGreaterThan(bytes - 1);
});
