import { assertMethods } from './parameters.ts';
import type { Sync } from '../session/sync-status.ts';

/**
 * Makes the browser ask before it leaves the page while edits are unsaved. For apps without `offline`: with it, edits survive.
 * Returns a function that ends it. Does nothing outside of a browser.
 *
 * @example
 * ```ts
 * import { PartySocket } from 'partysocket';
 * import { createStore } from 'tinybase';
 * import { createPartyKitPersister, warnBeforeUnload } from 'tinybase-partykit/client';
 *
 * const socket = new PartySocket({ host: location.host, room: 'my-board' });
 * const persister = createPartyKitPersister(createStore(), socket);
 * warnBeforeUnload(persister);
 * ```
 */
export function warnBeforeUnload(persister: {
  getSync(): Pick<Sync, 'unsaved'>;
  addSyncListener(listener: () => void): string;
  delListener(id: string): unknown;
}): () => void {
  const methods = ['getSync', 'addSyncListener', 'delListener'];
  assertMethods('warnBeforeUnload', 'persister as its parameter', persister, methods);
  const page: Partial<Pick<EventTarget, 'addEventListener' | 'removeEventListener'>> = globalThis;
  let isListening = false;
  // Only while there is something to lose: a page that listens may not be kept for the back button.
  const listen = (isUnsaved: boolean): void => {
    if (isUnsaved === isListening) return;
    isListening = isUnsaved;
    if (isUnsaved) page.addEventListener?.('beforeunload', ask);
    else page.removeEventListener?.('beforeunload', ask);
  };
  const update = (): void => listen(persister.getSync().unsaved > 0);
  const id = persister.addSyncListener(update);
  update();
  return () => {
    persister.delListener(id);
    listen(false);
  };
}

function ask(event: Event): void {
  event.preventDefault();
  // Chrome before 119 asks only because of this.
  Reflect.set(event, 'returnValue', true);
}
