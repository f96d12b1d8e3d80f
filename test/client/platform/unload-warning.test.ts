import { afterEach, expect, test, vi } from 'vitest';

import { warnBeforeUnload } from '../../../src/client/index.ts';

afterEach(() => vi.unstubAllGlobals());

/** A persister with this number of unsaved edits. */
class Unsaved {
  unsaved = 0;
  readonly listeners: (() => void)[] = [];
  getSync(): { readonly unsaved: number } {
    return { unsaved: this.unsaved };
  }
  addSyncListener(listener: () => void): string {
    this.listeners.push(listener);
    return '0';
  }
  delListener(): void {
    this.listeners.length = 0;
  }
  set(unsaved: number): void {
    this.unsaved = unsaved;
    for (const listener of this.listeners) listener();
  }
}

test('a page asks before it is left while edits are unsaved, and listens only then', () => {
  const page = new EventTarget();
  const add = vi.fn<EventTarget['addEventListener']>(page.addEventListener.bind(page));
  vi.stubGlobal('addEventListener', add);
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
  const asks = (): boolean => {
    const event = new Event('beforeunload', { cancelable: true });
    page.dispatchEvent(event);
    return event.defaultPrevented;
  };
  const persister = new Unsaved();
  const end = warnBeforeUnload(persister);
  expect([add.mock.calls.length, asks()]).toEqual([0, false]);
  persister.set(2);
  persister.set(1);
  expect([add.mock.calls.length, asks()]).toEqual([1, true]);
  persister.set(0);
  expect(asks()).toBe(false);
  persister.set(1);
  end();
  expect(asks()).toBe(false);
  expect(persister.listeners).toEqual([]);
});

test('a browser that asks only because of returnValue asks, too: Chrome before 119, and what is built on it', () => {
  const page = new EventTarget();
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
  const persister = new Unsaved();
  persister.unsaved = 1;
  const end = warnBeforeUnload(persister);
  const event = new Event('beforeunload', { cancelable: true });
  Object.defineProperty(event, 'returnValue', { value: '', writable: true });
  page.dispatchEvent(event);
  expect(Reflect.get(event, 'returnValue')).toBe(true);
  end();
});

test('it does nothing where there is no page', () => {
  vi.stubGlobal('addEventListener', undefined);
  vi.stubGlobal('removeEventListener', undefined);
  const persister = new Unsaved();
  persister.unsaved = 1;
  const end = warnBeforeUnload(persister);
  expect(end).not.toThrow();
});
