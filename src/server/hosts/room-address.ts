/** The room of a Worker that a URL leads to. */
export interface RoomAddress {
  /** The name of the party, decoded. */
  readonly party: string;
  /** The id of the room, decoded once, as the app wrote it. */
  readonly room: string;
}

/**
 * Returns the room that a URL of the shape `/<prefix>/<party>/<room>/…` leads to. Returns undefined for any other URL, and
 * if the party or the room is empty. PartySocket makes such URLs. The URL parser has encoded the rest, so decoding once
 * gives every spelling the same room.
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

/** Decodes a segment of a path. Returns it unchanged if it is not well-formed. */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
