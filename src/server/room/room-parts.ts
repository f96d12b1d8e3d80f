import type { DeepLeaves } from '../writes/deep-leaves.ts';
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
export interface RoomParts<Origin, RequestOrigin> {
  readonly host: RoomHost<Origin>;
  readonly settings: RoomSettings<Origin, RequestOrigin>;
  readonly observed: RoomStore;
  readonly reporter: ErrorReporter;
  readonly queue: SerialQueue;
  readonly peers: Peers<Origin>;
  readonly delivery: Delivery<Origin>;
  readonly outgoing: Outgoing<Origin>;
  readonly features: RoomFeatures<Origin, RequestOrigin>;
  readonly writer: StoreWriter<Origin, RequestOrigin>;
  readonly deepLeaves: DeepLeaves;
  readonly contentCache: ContentCache;
  readonly represented: RepresentedCallers<Origin>;
}
