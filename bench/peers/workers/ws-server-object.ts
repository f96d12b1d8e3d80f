import { createMergeableStore } from 'tinybase/mergeable-store';
import {
  createDurableObjectStoragePersister,
  type DurableObjectStoragePersister,
} from 'tinybase/persisters/persister-durable-object-storage';
import {
  getWsServerDurableObjectFetch,
  WsServerDurableObject,
} from 'tinybase/synchronizers/synchronizer-ws-server-durable-object';

type Storage = Parameters<typeof createDurableObjectStoragePersister>[1];

/** TinyBase's own Durable Object, with the persister that its documentation names. */
export class Synchronizing extends WsServerDurableObject {
  override createPersister(): DurableObjectStoragePersister {
    const { storage } = this.ctx as { readonly storage: Storage };
    return createDurableObjectStoragePersister(createMergeableStore(), storage);
  }

  /** As the client's, and for the same reason: 1, the default, gives up for ever what takes longer. */
  override getRequestTimeoutSeconds(): number {
    return 5;
  }
}

export default { fetch: getWsServerDurableObjectFetch('synchronizing') };
