import { type } from 'arktype';
import * as v from 'valibot';
import { expect, test } from 'vitest';
import { z } from 'zod';

import type { StandardSchema } from '../../../../src/protocol/standard-schema.ts';
import { decideRow } from '../../../../src/server/features/presence/presence-row.ts';

const SCHEMAS: readonly (readonly [string, StandardSchema])[] = [
  ['zod', z.object({ x: z.number(), y: z.number().default(2) })],
  ['valibot', v.object({ x: v.number(), y: v.optional(v.number(), 2) })],
  ['arktype', type({ '+': 'delete', x: 'number', y: 'number = 2' })],
];

test.each(SCHEMAS)(
  '[PRES-6] a schema of %s fills in, drops and refuses cells, by name',
  (_name, schema) => {
    const cells = new Map<string, string | number>([
      ['x', 1],
      ['more', 'text'],
      ['__proto__', 'text'],
    ]);
    expect(decideRow(cells, schema, 512)).toEqual({
      type: 'taken',
      cells: new Map([
        ['x', 1],
        ['y', 2],
      ]),
    });
    const refused = decideRow(new Map([['x', 'secret']]), schema, 512);
    expect(refused).toMatchObject({ type: 'refused', error: { code: 'malformed' } });
    expect(JSON.stringify(refused)).toMatch(/look at x\./);
    expect(JSON.stringify(refused)).toMatch(/ The schema says: .*number/);
  },
);
