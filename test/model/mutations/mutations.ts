import { FIRST_CONTENT_MUTATIONS } from './first-content.ts';
import { JOIN_MUTATIONS } from './joining.ts';
import { ONCE_MUTATIONS } from './once.ts';
import { ORDER_MUTATIONS } from './order.ts';
import { REPLICA_MUTATIONS } from './replica.ts';
import { ROOM_MUTATIONS } from './room.ts';
import type { Mutation } from './mutation.ts';

/** Every rule that a history can show to be broken, broken. */
export const MUTATIONS: readonly Mutation[] = [
  ...ORDER_MUTATIONS,
  ...JOIN_MUTATIONS,
  ...ONCE_MUTATIONS,
  ...FIRST_CONTENT_MUTATIONS,
  ...REPLICA_MUTATIONS,
  ...ROOM_MUTATIONS,
];
