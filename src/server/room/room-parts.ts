import type { UnsendableLeaves } from '../writes/unsendable-leaves.ts';
import type { StoreWriter } from '../writes/store-writer.ts';
import type { ContentCache } from './content-cache.ts';
import type { Delivery } from './delivery.ts';
import type { ErrorReporter } from './error-reporter.ts';
import type { Outgoing } from './outgoing.ts';
import type { Peers } from './peers.ts';
import type { RepresentedCallers } from './represented-callers.ts';
import type { RoomFeatures } from './room-features.ts';
import type { RoomHost } from './room-host.ts';
import type { RoomSettings } from './room-settings.ts';
import type { RoomStore } from './room-store.ts';
import type { SerialQueue } from './serial-queue.ts';

/** The objects of one room that outlive a failed write. */
export interface RoomParts<Connection, Request> {
  readonly host: RoomHost<Connection>;
  readonly settings: RoomSettings<Connection, Request>;
  readonly observed: RoomStore;
  readonly reporter: ErrorReporter;
  readonly queue: SerialQueue;
  readonly peers: Peers<Connection>;
  readonly delivery: Delivery<Connection>;
  readonly outgoing: Outgoing<Connection>;
  readonly features: RoomFeatures<Connection, Request>;
  readonly writer: StoreWriter<Connection, Request>;
  readonly unsendableLeaves: UnsendableLeaves;
  readonly contentCache: ContentCache;
  readonly represented: RepresentedCallers<Connection>;
}
