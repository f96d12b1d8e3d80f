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

/**
 * An encoding that nobody needs: of a letter, a digit, `-`, `.`, `_` or `~`, or with small hexadecimal digits (RFC 3986,
 * sections 2.1 and 2.3).
 */
const ODD_ENCODING =
  /%(?:[\da-f][a-f]|[A-F][a-f]|[a-f][\dA-F]|2[DE]|3\d|4[1-9A-F]|5[\dAF]|6[1-9A-F]|7[\dAE])/u;

/**
 * Returns the id of a room that its host names by the segment as it stands in the URL. There, another spelling is another room.
 * An odd one is not decoded, so that the other room does not pass for this one, and no token of this one is good there.
 */
export function roomIdOf(segment: string): string {
  return ODD_ENCODING.test(segment) ? segment : decodeSegment(segment);
}

/** Decodes a segment of a path. Returns it unchanged if it is not well-formed. */
function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
