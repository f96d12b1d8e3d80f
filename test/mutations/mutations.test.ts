import { readFile } from 'node:fs/promises';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { MUTATIONS as SIMULATED_MUTATIONS } from '../model/mutations/mutations.ts';
import { testThatUnitTestsNotice } from './noticed-mutations.ts';
import { PRESENCE_MUTATIONS } from './presence.ts';
import { SESSION_MUTATIONS } from './session.ts';
import { SOURCE_MUTATIONS } from './source-mutations.ts';
import { UnitTests } from './unit-tests.ts';

const OF_SESSIONS = new Set(SESSION_MUTATIONS);
testThatUnitTestsNotice(SOURCE_MUTATIONS.filter((mutation) => !OF_SESSIONS.has(mutation)));

describe('a mutation whose text', () => {
  let unitTests: UnitTests;
  beforeAll(async () => {
    unitTests = await UnitTests.start();
  });
  afterAll(() => unitTests.end());

  test.for([
    ['is not there', 'No file has this text.'],
    ['is there more than once', 'this.#room'],
  ] as const)('%s is an error', async ([, text]) => {
    const [first] = PRESENCE_MUTATIONS;
    if (first === undefined) throw new Error('There is no mutation.');
    const { errors } = await unitTests.runWith({ ...first, text });
    expect(errors).toContainEqual(expect.stringContaining(first.title));
  });
});

test('every rule of docs/protocol.md has a mutation, here or in the simulation', async () => {
  const document = await readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
  const rules = Array.from(document.matchAll(/^\| ([A-Z]+-\d+) \|/gm), ([, id = '']) => id);
  const titles = [...SOURCE_MUTATIONS, ...SIMULATED_MUTATIONS].map(({ title }) => title);
  expect(rules.filter((id) => !titles.some((title) => title.includes(`[${id}]`)))).toEqual([]);
});
