import { DEFAULT_PARTY } from '../../../protocol/user-token.ts';
import { roomAddressOf } from '../../hosts/room-address.ts';

/** PartyKit has a second form of URLs, for the main party alone: `/party/<room>`. */
const MAIN_PARTY_PATH = /^\/party\/[^/]/u;

/**
 * Returns the name of the party in a room's URL, which PartyKit and `routeRoomRequest` use. Throws if the URL has none:
 * an app with routes of its own has to pass the name.
 */
export function partyNameOf(url: string): string {
  const address = roomAddressOf(url);
  if (address !== undefined) return address.party;
  if (MAIN_PARTY_PATH.test(new URL(url).pathname)) return DEFAULT_PARTY;
  throw new Error(
    'The URL of the room does not have the form /parties/<party>/<room>, so the room does not know which party a token must name: set the option party of createAuth and createEdgeGuard.',
  );
}
