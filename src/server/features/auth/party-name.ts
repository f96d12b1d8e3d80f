import { DEFAULT_PARTY } from '../../../protocol/user-token.ts';
import { roomAddressOf } from '../../hosts/room-address.ts';

/** PartyKit has a second form of URLs, for the main party alone: `/party/<room>`. */
const MAIN_PARTY_PATH = /^\/party\/[^/]/u;

/**
 * Returns the name of the party in a room's URL, which PartyKit and `routeRoomRequest` route by. Throws if it has none: an
 * app with routes of its own says the name.
 */
export function partyNameOf(url: string): string {
  const address = roomAddressOf(url);
  if (address !== undefined) return address.party;
  if (MAIN_PARTY_PATH.test(new URL(url).pathname)) return DEFAULT_PARTY;
  throw new Error(
    'The URL of the room does not have the form /parties/<party>/<room>, so the room cannot tell the party that a token has to be for: name it in the option party of createAuth and createEdgeGuard.',
  );
}
