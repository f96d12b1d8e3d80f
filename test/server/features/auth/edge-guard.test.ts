import { expect, test, vi } from 'vitest';
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

test('[GATE-1] a rule that never answers lets nobody in, and the app is told after 30 s', async () => {
  vi.useFakeTimers();
  try {
    const told: unknown[] = [];
    const auth = defineAuth({
      secret: () => SECRET,
      user: z.object({ id: z.string() }),
      access: () => new Promise(() => undefined),
    });
    const waiting = createEdgeGuard(auth, { onError: (error) => void told.push(error) });
    const user = { id: 'ada' };
    const token = makeToken({ claims: { aud: 'main', room: 'board', sub: 'ada', user } });
    const request = new Request(`https://example.com/parties/main/board?token=${token}`, {
      headers: { Upgrade: 'websocket' },
    });
    let passed: unknown;
    void waiting(request, { id: 'board', env: {} }).then(
      (answer) => (passed = answer),
      (error: unknown) => (passed = error),
    );
    await vi.advanceTimersByTimeAsync(29_000);
    expect([passed, told]).toEqual([undefined, []]);
    await vi.advanceTimersByTimeAsync(2000);
    expect(told).toMatchObject([{ code: 'unavailable' }]);
    expect(passed).toBeDefined();
    expect(passed).not.toBe(request);
  } finally {
    vi.useRealTimers();
  }
});
