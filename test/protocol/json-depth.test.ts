import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { isDeeperThan, stringifyAnyDepth } from '../../src/protocol/json-depth.ts';
import { encodeLeaf } from '../../src/protocol/leaf.ts';

function depthOf(json: unknown): number {
  if (typeof json !== 'object' || json === null) return 0;
  return 1 + Math.max(0, ...Object.values(json).map(depthOf));
}

test('the levels of JSON are counted in its text, whatever its strings have', () => {
  const stringUnit = fc.constantFrom('"', '\\', '[', '}', 'a');
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 8, stringUnit }), fc.nat(9), (json, levels) => {
      for (const text of [JSON.stringify(json), JSON.stringify(json, undefined, 2)])
        expect(isDeeperThan(text, levels)).toBe(depthOf(json) > levels);
    }),
  );
});

test('JSON is written at any depth, as it is elsewhere', () => {
  const depth = 30_000;
  // `JSON.stringify` of Node 20 throws a RangeError here.
  fc.assert(
    fc.property(fc.jsonValue(), (inner) => {
      const text = JSON.stringify(JSON.parse(JSON.stringify(inner)));
      const objects = `${'{"a":0,"b":'.repeat(depth)}${text},"c":"\\""}${'}'.repeat(depth - 1)}`;
      for (const deep of ['['.repeat(depth) + text + ']'.repeat(depth), objects]) {
        expect(stringifyAnyDepth(JSON.parse(deep) as object) === deep).toBe(true);
      }
    }),
    { numRuns: 5 },
  );
});

test('what JSON leaves out is left out at any depth', () => {
  const odd = { a: undefined, b: [undefined, Number.NaN, () => 1], c: 1 };
  let deep: unknown = odd;
  for (let level = 0; level < 30_000; level += 1) deep = [deep];
  const text = stringifyAnyDepth(deep as object);
  expect(text.slice(30_000, -30_000)).toBe(JSON.stringify(odd));
  const circular: unknown[] = [];
  let below: unknown = circular;
  for (let level = 0; level < 30_000; level += 1) below = [below];
  circular.push(below);
  expect(() => encodeLeaf(circular as never)).toThrow(TypeError);
});
