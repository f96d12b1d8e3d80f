import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';

import { Undecided } from '../../../src/server/room/serial-queue.ts';
import { Deferred } from '../../support/deferred.ts';

test('[LIMIT-5] nothing holds a message that was dropped, also while an earlier one is being decided', async () => {
  const undecided = new Undecided();
  const earlier = new Deferred<void>();
  const decided = undecided.add(() => earlier.promise);
  const message = addMessage(undecided);
  undecided.drop();
  // An object that was looked at is held until the code that runs has ended.
  await new Promise((next) => setImmediate(next));
  collectGarbage();
  expect(message.deref()).toBe(undefined);
  earlier.resolve(undefined);
  await decided;
});

/** Adds a message that nothing else holds. */
function addMessage(undecided: Undecided): WeakRef<object> {
  const message = { text: 'A push of a connection that closes.' };
  void undecided.add(() => void message.text.length);
  return new WeakRef(message);
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
}
