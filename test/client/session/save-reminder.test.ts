import { expect, test } from 'vitest';

import { createSaveReminder } from '../../../src/client/session/save-reminder.ts';
import { ManualTime } from '../../support/manual-time.ts';

test('an app that never saves is told once, when nothing that it has started may lead to that', () => {
  const time = new ManualTime();
  const errors: unknown[] = [];
  let isStarting = true;
  const reminder = createSaveReminder(
    time.after,
    () => isStarting,
    (error) => errors.push(error),
  );
  reminder.held();
  time.pass(10_000);
  expect(errors).toEqual([]);
  isStarting = false;
  time.pass(10_000);
  reminder.held();
  time.pass(20_000);
  expect(errors).toMatchObject([{ code: 'misuse' }]);
});

test('once the app saves, or the session ends, nothing is told, and no timer keeps the process', () => {
  const time = new ManualTime();
  const reminder = createSaveReminder(
    time.after,
    () => false,
    () => expect.unreachable(),
  );
  reminder.held();
  reminder.end();
  expect(time.pending).toBe(0);
  reminder.held();
  expect(time.pending).toBe(0);
});
