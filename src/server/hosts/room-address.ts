/** Where in a Worker a URL leads to. */
export interface RoomAddress {
  /** The name of the party, decoded. */
  readonly party: string;
  /** The id of the room, decoded once: what an app calls it. */
  readonly room: string;
}

/**
 * Returns the room that a URL of the shape `/<prefix>/<party>/<room>/…` leads to; undefined for any other, also where the
 * party or the room is empty. PartySocket makes such URLs, and the URL parser encodes what was not: decoding once gives
 * every spelling the same room.
 */
export function roomAddressOf(url: string, prefix: string = 'parties'): RoomAddress | undefined {
  const segments = new URL(url).pathname.split('/').slice(1);
  const before = prefix.split('/').filter((segment) => segment !== '');
  if (before.some((segment, index) => segments[index] !== segment)) return undefined;
  const [party, room] = segments.slice(before.length);
  if (party === undefined || party === '' || room === undefined || room === '') return undefined;
  return { party: decodeSegment(party), room: decodeSegment(room) };
}

/** Returns the room of a URL of one of PartyKit's two shapes: `/parties/<party>/<room>/…` and `/party/<room>/…`. */
export function roomIdIn(url: string): string | undefined {
  const room = roomAddressOf(url)?.room;
  if (room !== undefined) return room;
  const [, party, segment] = new URL(url).pathname.split('/');
  return party !== 'party' || segment === undefined || segment === ''
    ? undefined
    : decodeSegment(segment);
}

/** A segment of a path as its author wrote it; as it is if it is not well-formed. */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
