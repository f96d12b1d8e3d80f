import { expect, test, vi } from 'vitest';

import { callAfter } from '../../../src/client/platform/call-after.ts';

test.each([Infinity, 2 ** 31, 2 ** 40])(
  '[CLIENT-3] a wait of %s ms is the longest that a timer of the platform can wait, not none',
  (milliseconds) => {
    vi.useFakeTimers();
    try {
      let isCalled = false;
      const cancel = callAfter(milliseconds, () => (isCalled = true));
      vi.advanceTimersByTime(60_000);
      expect(isCalled).toBe(false);
      vi.advanceTimersByTime(2 ** 31);
      expect(isCalled).toBe(true);
      cancel();
    } finally {
      vi.useRealTimers();
    }
  },
);
