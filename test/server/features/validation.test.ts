import { expect, test } from 'vitest';
import { z } from 'zod';

import { validate } from '../../../src/server/features/validation.ts';
import type { StandardSchema } from '../../../src/protocol/standard-schema.ts';
import { thenable, thenableFunction } from '../../support/thenable.ts';

/** A schema that answers with that, as a library without types may. */
function schemaOf(answer: () => unknown): StandardSchema {
  const schema: unknown = { '~standard': { version: 1, vendor: 'test', validate: answer } };
  return schema as StandardSchema;
}

test.each([
  ['a promise', (result: unknown) => Promise.resolve(result)],
  ['a thenable', thenable],
  ['a function with then', thenableFunction],
])('[EVENT-3] a schema that answers with %s is waited for', async (_kind, wrap) => {
  const invalid = { issues: [{ message: 'no', path: ['name'] }] };
  const refused = validate(
    schemaOf(() => wrap(invalid)),
    {},
  );
  expect(await refused).toEqual({ type: 'invalid', paths: 'name', reason: ' The schema says: no' });
  const taken = validate(
    schemaOf(() => wrap({ value: 7 })),
    {},
  );
  expect(await taken).toEqual({ type: 'valid', value: 7 });
});

test.each([
  ['undefined', undefined],
  ['null', null],
  ['true', true],
  ['an empty object', {}],
  ['issues that are no list', { issues: 'all of it' }],
  ['a value beside issues that are null', { value: 1, issues: null }],
])('[EVENT-3] a schema that answers with %s takes nothing', async (_kind, answer) => {
  expect(() =>
    validate(
      schemaOf(() => answer),
      {},
    ),
  ).toThrow('neither a value nor issues');
  const later = validate(
    schemaOf(() => thenable(answer)),
    {},
  );
  await expect(later).rejects.toThrow('neither a value nor issues');
});

test.each([
  ['a text', 'at least 0', ' The schema says: at least 0'],
  ['a long text', 'm'.repeat(10_000), ` The schema says: ${'m'.repeat(200)}…`],
  ['the text of an error', new Error('no').stack, ' The schema says: Error: no'],
  ['lines', '\n first\r\nsecond', ' The schema says: first'],
  ['an empty text', ' ', ''],
  ['no text', undefined, ''],
  ['an object', new URL('http://localhost'), ''],
])(
  'the reason of a schema is the first line of its message: %s',
  async (_title, message, reason) => {
    expect(
      await validate(
        schemaOf(() => ({ issues: [{ message }] })),
        7,
      ),
    ).toMatchObject({ type: 'invalid', reason });
  },
);

test('three wrong inputs have three reasons', async () => {
  const schema = z.object({ max: z.number().min(0) });
  const told = new Set<unknown>();
  for (const input of [{ max: -1 }, { max: 'ten' }, {}]) {
    const validation = await validate(schema, input);
    expect(validation).toMatchObject({ type: 'invalid', paths: 'max' });
    if (validation.type === 'invalid') told.add(validation.reason);
  }
  expect(told.size).toBe(3);
});
