import { createStore } from 'tinybase';
import { describe, expect, test } from 'vitest';

import { createAdmin } from '../../../src/server/features/admin/index.ts';
import { createAuth, defineAuth } from '../../../src/server/features/auth/index.ts';
import { createEvents } from '../../../src/server/features/events/index.ts';
import { createPresence } from '../../../src/server/features/presence/index.ts';
import { SECRET } from '../../support/tokens.ts';

const auth = defineAuth({
  secret: () => SECRET,
  user: { '~standard': { version: 1, vendor: 'test', validate: () => ({ value: { id: 'a' } }) } },
});

describe.each([
  ['createPresence', (room: never) => createPresence(room)],
  ['createAuth', (room: never) => createAuth(room, auth)],
  ['createEvents', (room: never) => createEvents(room, {})],
  ['createAdmin', (room: never) => createAdmin(room, { secret: () => SECRET })],
] as const)('%s without its room', (name, create) => {
  test.each([
    ['nothing', undefined],
    ['null', null],
    ['a Store, as on a page', createStore()],
    ['a socket, as on a page', new EventTarget()],
    ['its options', { schema: undefined }],
    ['a class', Date],
  ])('says what to give it instead of %s', (_what, room) => {
    expect(() => create(room as never)).toThrow(
      new RegExp(`^${name} got no room as its first parameter: .*give it this\\.`),
    );
  });
});

test.each([
  [
    'createPresence',
    () => createPresence(createStore() as never),
    'tinybase-partykit/client/presence',
  ],
  [
    'createEvents',
    () => createEvents(createStore() as never, {}),
    'tinybase-partykit/client/events',
  ],
])('%s tells a page its own import', (_name, create, path) => {
  expect(create).toThrow(path);
});

test.each([undefined, null, {}, { user: {} }])('createAuth needs rules, and not %j', (rules) => {
  const room = { addFeature: () => undefined, setGate: () => undefined };
  expect(() => createAuth(room as never, rules as never)).toThrow('what defineAuth returned');
});
