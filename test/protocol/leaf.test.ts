import * as fc from 'fast-check';
import { createStore } from 'tinybase';
import { describe, expect, test } from 'vitest';

import {
  canonicalLeaf,
  decodeLeaf,
  DELETED,
  ENCODED,
  encodeLeaf,
  isUnsendableLeaf,
} from '../../src/protocol/leaf.ts';
import { leaves } from './arbitrary-changes.ts';

describe('the canonical form', () => {
  test('[CHANGES-1] is what JSON.stringify(JSON.parse(…)) gives, and its own canonical form', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        const parsed: unknown = JSON.parse(json);
        const isEncoded = typeof parsed === 'object' && parsed !== null;
        fc.pre(isEncoded);
        const canonical = ENCODED + JSON.stringify(parsed);
        expect(canonicalLeaf(ENCODED + json)).toBe(canonical);
        expect(canonicalLeaf(parsed)).toBe(canonical);
        expect(canonicalLeaf(canonical)).toBe(canonical);
      }),
    );
  });

  test('[CHANGES-1] of what is neither object nor array is the leaf itself', () => {
    fc.assert(
      fc.property(leaves, (leaf) => {
        expect(canonicalLeaf(leaf)).toBe(leaf);
      }),
    );
  });

  test.each([
    undefined,
    NaN,
    Infinity,
    -Infinity,
    DELETED,
    ENCODED,
    `${ENCODED}{`,
    Symbol('s'),
    () => 1,
    1n,
  ])('does not exist of what no Store can hold: %s', (candidate) => {
    expect(canonicalLeaf(candidate)).toBeUndefined();
  });

  test.each([1, -0.5, true, null, 's', '', `x${ENCODED}`])(
    '[CHANGES-1] is %j itself where a Store has encoded that',
    (leaf) => {
      expect(canonicalLeaf(ENCODED + JSON.stringify(leaf))).toBe(leaf);
    },
  );

  test.each([
    ['1.50 EUR', '1.50 EUR'],
    [5, 5],
    [null, null],
    [{ a: 1 }, `${ENCODED}{"a":1}`],
    [undefined, `${ENCODED}undefined`],
  ])('[LOCAL-3] of an object is what its toJSON gives: %j', (given, leaf) => {
    expect(canonicalLeaf({ toJSON: () => given })).toBe(leaf);
  });

  test.each(['undefined', `"${DELETED}"`, `"${ENCODED}[1]"`])(
    '[CHANGES-4] stays as it is of what a Store takes and no message may carry: %s',
    (json) => {
      expect(canonicalLeaf(ENCODED + json)).toBe(ENCODED + json);
      expect(isUnsendableLeaf(ENCODED + json)).toBe(true);
    },
  );

  test('does not exist of an object that cannot be written', () => {
    const circular: unknown[] = [];
    circular.push(circular);
    expect(canonicalLeaf(circular)).toBeUndefined();
  });

  test('is what a Store makes of the leaf', () => {
    fc.assert(
      fc.property(leaves, (leaf) => {
        const store = createStore().setCell('t', 'r', 'c', decodeLeaf(leaf));
        expect(encodeLeaf(store.getCell('t', 'r', 'c'))).toBe(leaf);
      }),
    );
  });

  test('exists of every plain text but the two that a Store refuses', () => {
    for (const [text, isTaken] of [
      [`${DELETED}more`, true],
      [`x${ENCODED}{}`, true],
      [DELETED, false],
      [`${ENCODED}x`, false],
    ] as const) {
      expect(createStore().setValue('v', text).hasValue('v')).toBe(isTaken);
      expect(canonicalLeaf(text)).toBe(isTaken ? text : undefined);
    }
  });
});

test('decoding refuses an encoded leaf that is not one', () => {
  expect(() => decodeLeaf(`${ENCODED}{`)).toThrow(SyntaxError);
  expect(() => decodeLeaf(`${ENCODED}7`)).toThrow(SyntaxError);
});

test('encoding leaves nothing as nothing', () => {
  expect(encodeLeaf(undefined)).toBeUndefined();
});
