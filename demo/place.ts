/** The place of a board: its room, and the server that the room is on. */
export interface Place {
  readonly room: string;
  readonly host: string;
  /** True for `http:` and `ws:`. */
  readonly isPlain: boolean;
  /** True if the people of this window may only read. */
  readonly isReader: boolean;
}

const DEFAULT_ROOM = 'lobby';
/** In units of UTF-16, as the `maxlength` of a field counts. */
export const LONGEST_ROOM_NAME = 80;
/** A URL cannot have "." and ".." as a name, and a token for "a*" would be one for all rooms that begin with "a". */
const UNUSABLE_ENDS = /^\.+|\*+$/g;
/** Of a name with others, the id of the room depends on the host: see docs/hosts.md. */
const UNUSUAL = /[^\p{L}\p{N} ._~-]/gu;

/** Returns a name that a room may have: the default one in place of an empty one. */
export function roomName(text: string): string {
  const name = text
    .trim()
    .slice(0, LONGEST_ROOM_NAME)
    .replace(UNUSABLE_ENDS, '')
    .replace(UNUSUAL, '-');
  return name.trim() || DEFAULT_ROOM;
}

/**
 * Reads the address of the page: `?room=` names the room, `?host=` the server if it is not that of the page, and `?reader`
 * asks for tokens that may only read.
 */
export function placeOf({ host, protocol, searchParams }: URL): Place {
  return {
    room: roomName(searchParams.get('room') ?? ''),
    host: searchParams.get('host') ?? host,
    isPlain: protocol !== 'https:',
    isReader: searchParams.has('reader'),
  };
}

/** Returns the URL of a path on the server. */
export function urlAt({ host, isPlain }: Place, path: string): string {
  return `${isPlain ? 'http' : 'https'}://${host}${path}`;
}

/** Returns the path of the room on the server. */
export function roomPath({ room }: Place): string {
  return `/parties/main/${encodeURIComponent(room)}`;
}
