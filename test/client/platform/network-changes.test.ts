import { afterEach, expect, test, vi } from 'vitest';

import { watchNetwork } from '../../../src/client/platform/network-changes.ts';

afterEach(() => vi.unstubAllGlobals());

test('calls back when the network changes, and when the page may have slept', () => {
  const page = new EventTarget();
  const document = Object.assign(new EventTarget(), { hidden: false });
  vi.stubGlobal('document', document);
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
  const onChange = vi.fn<() => void>();
  const unwatch = watchNetwork(onChange);
  for (const event of ['offline', 'online', 'pageshow']) page.dispatchEvent(new Event(event));
  for (const event of ['visibilitychange', 'resume']) document.dispatchEvent(new Event(event));
  expect(onChange).toHaveBeenCalledTimes(5);
  document.hidden = true;
  document.dispatchEvent(new Event('visibilitychange'));
  expect(onChange).toHaveBeenCalledTimes(5);
  unwatch();
  document.hidden = false;
  page.dispatchEvent(new Event('online'));
  document.dispatchEvent(new Event('resume'));
  expect(onChange).toHaveBeenCalledTimes(5);
});

test('does nothing where there are no such events', () => {
  expect(() => watchNetwork(() => undefined)()).not.toThrow();
});
