import type { Disk } from './disk.ts';
import type { Http } from './http.ts';
import type { Network } from './network.ts';
import type { RoomProcess } from './room-process.ts';
import type { SimGate } from './sim-gate.ts';
import type { SimHooks } from './sim-hooks.ts';

/** A room, and the ways to it. */
export interface Place {
  /** The address of its sockets. */
  readonly address: string;
  readonly room: RoomProcess;
  readonly disk: Disk;
  readonly hooks: SimHooks;
  /** Undefined if its users need no tokens. */
  readonly gate: SimGate | undefined;
  readonly http: Http;
  readonly network: Network;
  /**
   * The pushes that the room has answered and may store nothing of, as client id and number: their user may only read, or the room has no
   * Store.
   */
  readonly unrecordedPushes: ReadonlySet<string>;
}

/** The address of the room where every client begins. */
export const HOME_ADDRESS = 'ws://host.test/room';
/** The address of the room to which some clients move. */
export const OTHER_ADDRESS = 'ws://host.test/other';
