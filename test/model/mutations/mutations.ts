import { CALL_MUTATIONS } from './calls.ts';
import { DERIVATION_MUTATIONS } from './derivation.ts';
import { INITIAL_CONTENT_MUTATIONS } from './initial-content.ts';
import { GATE_MUTATIONS } from './gate.ts';
import { JOIN_MUTATIONS } from './joining.ts';
import { OFFLINE_MUTATIONS } from './offline.ts';
import { ONCE_MUTATIONS } from './once.ts';
import { ORDER_MUTATIONS } from './order.ts';
import { REPLICA_MUTATIONS } from './replica.ts';
import { ROOM_MUTATIONS } from './room.ts';
import { SAVE_MUTATIONS } from './saves.ts';

import { UNDO_MUTATIONS } from './undo.ts';
import type { Mutation } from './mutation.ts';

/**
 * Every rule that a history can show to be broken, broken. Of the others, some cost time or bytes and nothing else when
 * they are broken (HOOK-5, DURABLE-2, JOIN-6, KEEP-2, KEEP-3, FLOOD-3, FLOOD-4, FLOOD-6), some are about input that nobody sends
 * here (FRAME, LOCAL-3), and some about HTTP, which these histories have no headers or status codes of (LIMIT-4, LIMIT-7); ONCE-7 is
 * covered by the room's own limit. No property tells an edit that is refused and put back from one that stays local-only
 * (LIMIT-3), or a room without a Store from one with an empty Store, which our own clients give it at once (SEED-6). Nobody
 * edits before a persister is started (SEED-5). All histories have less clients than a room remembers (FLOOD-5). STORE-1 needs
 * the adversity "two-persisters". These histories have no presence (PRES), no signed requests (ADMIN-1, ADMIN-3 to ADMIN-5, ADMIN-7),
 * and clients without the layer of `createClient` (CLIENT). For each of these, a unit test fails without the rule:
 * `test/mutations/` breaks it in the source, and runs the tests that have its id in their titles.
 */
export const MUTATIONS: readonly Mutation[] = [
  ...ORDER_MUTATIONS,
  ...JOIN_MUTATIONS,
  ...ONCE_MUTATIONS,
  ...INITIAL_CONTENT_MUTATIONS,
  ...REPLICA_MUTATIONS,
  ...DERIVATION_MUTATIONS,
  ...ROOM_MUTATIONS,
  ...GATE_MUTATIONS,
  ...OFFLINE_MUTATIONS,
  ...CALL_MUTATIONS,
  ...SAVE_MUTATIONS,
  ...UNDO_MUTATIONS,
];
