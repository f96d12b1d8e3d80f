import { asArray, asCount, asMatch, type Json } from './json.ts';

/** A point in a room's history. Versions of different epochs cannot be compared. */
export interface Cursor {
  /** The name of one unbroken history. A restored or wiped room has a new one. */
  readonly epoch: string;
  /** The number of commits since the history began; 0 in a room that has no Store yet. */
  readonly version: number;
  /**
   * Names the life of the room, from one load to the next, that made the version (`JOIN-9`). Left out for the life that began
   * the epoch. If storage is set back, another life gives the same numbers to other commits.
   */
  readonly tag?: string | undefined;
}

const EPOCH = /^[\w-]{1,64}$/;
const TAG = /^[\w-]{1,16}$/;

/** Returns true if a message can carry the cursor's epoch and tag. */
export function isSayable({ epoch, tag }: Cursor): boolean {
  return EPOCH.test(epoch) && (tag === undefined || TAG.test(tag));
}

/** Returns `[epoch, version]`, then the tag if there is one. */
export function cursorToJson({ epoch, version, tag }: Cursor): Json {
  return tag === undefined ? [epoch, version] : [epoch, version, tag];
}

/** Returns the part of a message that carries a tag. Throws a `ShapeError` for anything but a tag or nothing. */
export function asTag(json: Json | undefined): Pick<Cursor, 'tag'> {
  return json === undefined ? {} : { tag: asMatch(json, TAG) };
}

/** Reads {@link cursorToJson}. Throws a `ShapeError` for anything else. */
export function jsonToCursor(json: Json | undefined): Cursor {
  const [epoch, version, tag] = asArray(json, 2, 3);
  return { epoch: asMatch(epoch, EPOCH), version: asCount(version), ...asTag(tag) };
}
