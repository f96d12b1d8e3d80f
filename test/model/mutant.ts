import type { SessionEndpoint } from '../../src/client/session/session-ports.ts';
import type { LifecycleHooks } from '../../src/server/features/lifecycle/lifecycle-hooks.ts';
import type { RoomHooks } from '../../src/server/writes/hooks.ts';
import type { KeyValueStorage } from '../../src/server/storage/key-value-storage.ts';
import type { RoomConnection } from '../../src/server/room/room-host.ts';
import type { ClientDisk } from './client-disk.ts';
import type { Wire } from './network.ts';
import type { RoomProcess } from './room-process.ts';
import type { SimClient } from './sim-client.ts';
import type { Traits } from './traits.ts';

/**
 * A system in which one rule does not hold: doubles for what lies between a room, its clients and their disks. Made anew
 * for each history, so that it may remember what it has seen. What is left out is as it should be.
 */
export interface Mutant {
  /** Where to look: what every history is like. */
  readonly traits?: Partial<Traits>;
  /** What a client sends; an empty list loses it. */
  readonly fromClient?: (frame: string, wire: Wire, client: SimClient) => readonly string[];
  /** What reaches the room. */
  readonly atRoom?: (frame: string, wire: Wire, room: RoomProcess) => readonly string[];
  /** What the room sends. */
  readonly fromRoom?: (frame: string, wire: Wire) => readonly string[];
  /** What reaches a client. */
  readonly atClient?: (frame: string, client: SimClient) => readonly string[];
  readonly endpoint?: (endpoint: SessionEndpoint, client: SimClient) => SessionEndpoint;
  /** The room's disk, as one process has it. */
  readonly storage?: (storage: KeyValueStorage) => KeyValueStorage;
  readonly clientDisk?: (name: string) => ClientDisk;
  readonly hooks?: (hooks: RoomHooks<unknown>, room: RoomProcess) => RoomHooks<unknown>;
  readonly connection?: (connection: RoomConnection<Wire>) => RoomConnection<Wire>;
  /** What the host answers for the room. */
  readonly hostAnswer?: (frame: string) => string | undefined;
  /** The hooks that load and save the room. */
  readonly saves?: (hooks: LifecycleHooks<Wire, never>) => LifecycleHooks<Wire, never>;
  readonly hookTimeoutMilliseconds?: number;
}
