import { expect, test } from 'vitest';

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
  expect(await refused).toEqual({ type: 'invalid', paths: 'name' });
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
