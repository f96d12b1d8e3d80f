import { DERIVATION_MUTATIONS } from './derivation.ts';
import { FIRST_CONTENT_MUTATIONS } from './first-content.ts';
import { JOIN_MUTATIONS } from './joining.ts';
import { ONCE_MUTATIONS } from './once.ts';
import { ORDER_MUTATIONS } from './order.ts';
import { REPLICA_MUTATIONS } from './replica.ts';
import { ROOM_MUTATIONS } from './room.ts';
import type { Mutation } from './mutation.ts';

/**
 * Every rule that a history can show to be broken, broken. Of the others, some cost time or bytes and nothing else when
 * they are broken (HOOK-5, DURABLE-2, JOIN-6, KEEP-3), some are about input that nobody sends here (FRAME), and some
 * about HTTP, which these histories have no headers or status codes of; ONCE-7 is covered by the room's own limit.
 */
export const MUTATIONS: readonly Mutation[] = [
  ...ORDER_MUTATIONS,
  ...JOIN_MUTATIONS,
  ...ONCE_MUTATIONS,
  ...FIRST_CONTENT_MUTATIONS,
  ...REPLICA_MUTATIONS,
  ...DERIVATION_MUTATIONS,
  ...ROOM_MUTATIONS,
];
