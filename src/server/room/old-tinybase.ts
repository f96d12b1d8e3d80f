import type { Store } from 'tinybase';

import { TinyBasePartyKitError } from '../../protocol/errors.ts';

/**
 * Returns an error if the Stores are of a TinyBase before 9.4. A Store does not tell its version, but such a Store keeps half of a
 * transaction that throws. Then the Stores of clients and room differ.
 */
export function errorOfOldTinyBase(createStore: () => Store): TinyBasePartyKitError | undefined {
  const store = createStore();
  try {
    store.transaction(() => {
      store.setValue('half', true);
      throw new Error('half');
    });
  } catch {
    // It was meant to throw.
  }
  return store.hasValue('half') ? new TinyBasePartyKitError('misuse', OLD_TINYBASE) : undefined;
}

const OLD_TINYBASE =
  'The installed TinyBase is older than 9.4, so the Stores of room and clients may differ after an error: run npm install tinybase@10.';
