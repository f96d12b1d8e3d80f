import { expect, test } from 'vitest';

import { SerialQueue } from '../../../src/server/room/serial-queue.ts';
import { Deferred } from '../../support/deferred.ts';

test('runs a step within the call when nothing else runs', () => {
  expect(new SerialQueue().add(() => 7)).toBe(7);
});

test('runs steps in the order they came, one at a time', async () => {
  const queue = new SerialQueue();
  const first = new Deferred<void>();
  const ran: string[] = [];
  const steps = [
    queue.add(async () => {
      ran.push('first begins');
      await first.promise;
      ran.push('first ends');
    }),
    queue.add(() => {
      ran.push('second');
    }),
    queue.add(async () => {
      ran.push('third');
    }),
  ];
  expect(ran).toEqual(['first begins']);
  first.resolve();
  await Promise.all(steps.map((step) => Promise.resolve(step)));
  expect(ran).toEqual(['first begins', 'first ends', 'second', 'third']);
  expect(queue.add(() => 'at once')).toBe('at once');
});

test('runs a step that comes from within another one after it', async () => {
  const queue = new SerialQueue();
  const ran: string[] = [];
  let inner: unknown;
  await queue.add(() => {
    inner = queue.add(() => {
      ran.push('inner');
    });
    ran.push('outer');
  });
  await inner;
  expect(ran).toEqual(['outer', 'inner']);
});

const fail = (): never => {
  throw new Error('failed');
};

test('hands a failure to whoever added the step, and runs the next one', async () => {
  const queue = new SerialQueue();
  expect(() => queue.add(fail)).toThrow('failed');
  const first = new Deferred<void>();
  const steps = [
    queue.add(() => first.promise),
    queue.add(fail),
    queue.add(() => Promise.reject(new Error('rejected'))),
    queue.add(() => 'fine'),
  ];
  first.resolve();
  const outcomes = await Promise.allSettled(steps.map((step) => Promise.resolve<unknown>(step)));
  expect(
    outcomes.map((outcome) =>
      outcome.status === 'rejected' ? String(outcome.reason) : outcome.value,
    ),
  ).toEqual([undefined, 'Error: failed', 'Error: rejected', 'fine']);
});

test('runs a hundred thousand steps that wait', async () => {
  const queue = new SerialQueue();
  const first = new Deferred<void>();
  let count = 0;
  void queue.add(() => first.promise);
  for (let index = 0; index < 100_000; index += 1) {
    void queue.add(() => {
      count += 1;
    });
  }
  first.resolve();
  await queue.add(() => undefined);
  expect(count).toBe(100_000);
});
