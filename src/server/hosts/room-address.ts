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

/** Returns the room in a URL of one of PartyKit's two shapes, `/parties/<party>/<room>/…` and `/party/<room>/…`, not decoded. */
export function roomSegmentIn(url: string): string | undefined {
  const [, party, ...rest] = new URL(url).pathname.split('/');
  const segment = party === 'parties' ? rest[1] : party === 'party' ? rest[0] : undefined;
  return segment === '' || (party === 'parties' && rest[0] === '') ? undefined : segment;
}

/** The end of the code of `^`, if the URL parser encodes that: browsers, Node from 24 on, and Cloudflare, but not `partykit dev`. */
const CARET = isSegment('^') ? '' : 'E';

/**
 * A segment in which nothing is encoded but what a URL parser encodes (URL standard, section 1.3, the path percent-encode
 * set), what would end the segment (`/`, `?`, `#`, `\\`), and `%`. Its hexadecimal digits are capital letters. `%` is encoded at
 * most 8 times over: each level is decoded once more to find out if two segments have one id.
 */
const NEEDED_ENCODINGS = new RegExp(
  `^(?!.*%(?:25){9})(?:[^%]|%(?:[01][\\dA-F]|2[0235F]|3[CEF]|5[C${CARET}]|60|7[BDF]|[89A-F][\\dA-F]))*$`,
  'u',
);

/**
 * Returns the id of a room that its host names by the segment as it stands in the URL. There, another spelling is another room, so no
 * two segments may have the same id. So a segment that encodes more than it has to is taken as the id as it stands, with its `%`.
 * A segment that decodes to such an id is not decoded, either.
 */
export function roomIdOf(segment: string): string {
  if (!NEEDED_ENCODINGS.test(segment)) return segment;
  const id = decodeSegment(segment);
  return id !== segment && isSegment(id) && roomIdOf(id) === id ? segment : id;
}

/** Returns true if a URL may have that text as it stands for a room. */
function isSegment(text: string): boolean {
  return !text.includes('/') && new URL(`http://host/${text}`).pathname === `/${text}`;
}

/** Decodes a segment of a path. Returns it unchanged if it is not well-formed. */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
