import { ADMIN_MUTATIONS } from './admin.ts';
import { CLIENT_MUTATIONS } from './client.ts';
import { EVENT_MUTATIONS } from './events.ts';
import { GATE_MUTATIONS } from './gate.ts';
import { LIFECYCLE_MUTATIONS } from './lifecycle.ts';
import { PRESENCE_MUTATIONS } from './presence.ts';
import { PROTOCOL_MUTATIONS } from './protocol.ts';
import { ROOM_MUTATIONS } from './room.ts';
import { SEAM_MUTATIONS } from './seam.ts';
import { SESSION_MUTATIONS } from './session.ts';
import type { SourceMutation } from './source-mutation.ts';

/** Every rule that no history can show to be broken, broken in the source. */
export const SOURCE_MUTATIONS: readonly SourceMutation[] = [
  ...PROTOCOL_MUTATIONS,
  ...SESSION_MUTATIONS,
  ...ROOM_MUTATIONS,
  ...GATE_MUTATIONS,
  ...ADMIN_MUTATIONS,
  ...PRESENCE_MUTATIONS,
  ...EVENT_MUTATIONS,
  ...SEAM_MUTATIONS,
  ...CLIENT_MUTATIONS,
  ...LIFECYCLE_MUTATIONS,
];
