import { expect, test } from 'vitest';

import { ClientRecords } from '../../../src/server/history/client-records.ts';

const DAY = 86_400_000;

test('[ONCE-1] remembers the last push of each client', () => {
  const records = new ClientRecords(new Map());
  expect(records.lastPush('ada')).toBe(0);
  records.notePush('ada', 1, 0);
  records.notePush('ada', 2, 0);
  records.notePush('bob', 7, 0);
  expect([records.lastPush('ada'), records.lastPush('bob')]).toEqual([2, 7]);
});

test('[JOIN-4] remembers the highest generation, also of clients that never pushed', () => {
  const records = new ClientRecords(new Map());
  records.noteHello('ada', 5, 0, 0);
  expect(records.generation('ada')).toBe(5);
  records.notePush('ada', 1, 0);
  expect(records.generation('ada')).toBe(5);
  records.notePush('ada', 2, 0);
  expect(records.generation('ada')).toBe(5);
  records.noteHello('ada', 6, 0, 0);
  expect(records.generation('ada')).toBe(6);
  expect(records.snapshot().get('ada')).toEqual({
    lastPush: 2,
    ackedPush: 0,
    touched: 0,
    generation: 6,
  });
});

test('remembers ten thousand clients that never pushed, and stores none of them', () => {
  const records = new ClientRecords(new Map());
  for (let index = 0; index <= 10_000; index += 1) records.noteHello(`client ${index}`, 3, 0, 0);
  expect([records.generation('client 0'), records.generation('client 1')]).toEqual([0, 3]);
  expect(records.snapshot().size).toBe(0);
});

test('[ONCE-5] keeps a record a day after its last push was confirmed as acked, and 30 days otherwise', () => {
  const records = new ClientRecords(new Map());
  for (const client of ['confirmed', 'half', 'none', 'connected']) {
    records.notePush(client, 1, 0);
    records.notePush(client, 2, 0);
  }
  records.noteAcked('confirmed', 2, 0);
  records.noteAcked('connected', 2, 0);
  records.noteAcked('half', 1, 0);
  const kept = (now: number): string[] => {
    records.sweep(now, new Set(['connected']));
    return [...records.snapshot().keys()];
  };
  expect(kept(DAY)).toEqual(['confirmed', 'half', 'none', 'connected']);
  expect(kept(DAY + 1)).toEqual(['half', 'none', 'connected']);
  expect(kept(30 * DAY)).toEqual(['half', 'none', 'connected']);
  expect(kept(30 * DAY + 1)).toEqual(['connected']);
});

test('[ONCE-5] a record from before the clock was set back is as old as the next look at it', () => {
  const records = new ClientRecords(new Map());
  records.notePush('ada', 1, 365 * DAY);
  const kept = (now: number): number => {
    records.sweep(now, new Set());
    return records.snapshot().size;
  };
  expect([kept(0), kept(30 * DAY), kept(30 * DAY + 1)]).toEqual([1, 1, 0]);
});

test('[ONCE-5] keeps all records of a day, and the latest ten thousand of those before', () => {
  const records = new ClientRecords(new Map());
  for (let index = 0; index < 10_003; index += 1) records.notePush(`client ${index}`, 1, index);
  records.notePush('of today', 1, DAY);
  const kept = (connected: readonly string[]): string[] => {
    records.sweep(DAY + 10_003, new Set(connected));
    return [...records.snapshot().keys()].slice(0, 2);
  };
  expect(kept(['client 0'])).toEqual(['client 0', 'client 3']);
  expect(records.snapshot().size).toBe(10_002);
  expect(kept([])).toEqual(['client 3', 'client 4']);
  expect(records.lastPush('of today')).toBe(1);
});

test('[ONCE-5] takes no word for pushes that were not processed', () => {
  const records = new ClientRecords(new Map());
  records.noteAcked('ada', 9, 0);
  records.notePush('ada', 1, 0);
  records.noteAcked('ada', 9, 0);
  records.notePush('ada', 2, 0);
  expect(records.snapshot().get('ada')?.ackedPush).toBe(1);
});
