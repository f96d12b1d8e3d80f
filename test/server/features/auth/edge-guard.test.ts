import { expect, test } from 'vitest';
import { z } from 'zod';

import { createEdgeGuard, defineAuth } from '../../../../src/server/features/auth/index.ts';
import { SECRET } from '../../../support/token-secret.ts';
import { makeToken } from '../../../support/tokens.ts';

const guard = createEdgeGuard(
  defineAuth({ secret: () => SECRET, user: z.object({ id: z.string() }) }),
);

/** The id of a room as a host tells it, and as the room has it. */
test.each([
  ['on PartyKit', { id: 'a%20b' }, 'a b'],
  ['on PartyKit, where an id is as it stands', { id: '%41' }, '%41'],
  ['on other hosts', { id: 'a b', isIdDecoded: true }, 'a b'],
  ['on other hosts, which have decoded it', { id: 'a%20b', isIdDecoded: true }, 'a%20b'],
])('[LIFE-6] the guard knows the room by its id: %s', async (_where, lobby, room) => {
  const user = { id: 'ada' };
  const token = makeToken({ claims: { aud: 'main', room, sub: 'ada', user } });
  const request = new Request(`https://example.com/parties/main/any?token=${token}&more=1`, {
    headers: { Upgrade: 'websocket' },
  });
  const passed = await guard(request, { ...lobby, env: {} });
  // The token has moved into a header.
  expect(new URL(passed.url).search).toBe('?more=1');
  expect(passed.headers.get('Authorization')).toBe(`Bearer ${token}`);
});
