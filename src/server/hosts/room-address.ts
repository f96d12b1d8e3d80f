/** Where in a Worker a URL leads to. */
export interface RoomAddress {
  /** The name of the party, decoded. */
  readonly party: string;
  /** The id of the room, decoded once: what an app calls it. */
  readonly room: string;
}

/**
 * The room that a URL of the shape `/<prefix>/<party>/<room>/…` leads to; undefined for any other. PartySocket makes
 * such URLs, with what was not encoded encoded by the URL parser: decoding once gives every spelling the same room.
 */
export function roomAddressOf(url: string, prefix: string = 'parties'): RoomAddress | undefined {
  const segments = new URL(url).pathname.split('/').filter((segment) => segment !== '');
  const before = prefix.split('/').filter((segment) => segment !== '');
  if (before.some((segment, index) => segments[index] !== segment)) return undefined;
  const [party, room] = segments.slice(before.length);
  if (party === undefined || room === undefined) return undefined;
  return { party: decodeSegment(party), room: decodeSegment(room) };
}

/** A segment of a path as its author wrote it; as it is if it is not well-formed. */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
