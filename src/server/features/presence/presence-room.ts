import type { FeatureRoom } from '../../room/room-feature.ts';

/** A connection as every host has it. */
export interface IdentifiedConnection {
  /** The id of the client's PartySocket. The client chooses it. */
  readonly id: string;
}

/** The part of a room that presence uses. */
export type PresenceRoom<Connection> = Pick<
  FeatureRoom<Connection>,
  | 'connections'
  | 'send'
  | 'readSlot'
  | 'writeSlot'
  | 'heardAt'
  | 'userIdOf'
  | 'now'
  | 'after'
  | 'report'
>;
