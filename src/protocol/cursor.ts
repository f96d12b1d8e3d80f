import { asArray, asCount, asMatch, type Json } from './json.ts';

/** A point in a room's history. Versions of different epochs cannot be compared. */
export interface Cursor {
  /** The name of one unbroken history. A restored or wiped room has a new one. */
  readonly epoch: string;
  /** The number of commits since the history began; 0 in a room that has no Store yet. */
  readonly version: number;
}

const EPOCH = /^[\w-]{1,64}$/;

/** Returns `[epoch, version]`. */
export function cursorToJson({ epoch, version }: Cursor): Json {
  return [epoch, version];
}

/** Reads {@link cursorToJson}. Throws a `ShapeError` for anything else. */
export function jsonToCursor(json: Json | undefined): Cursor {
  const [epoch, version] = asArray(json, 2, 2);
  return { epoch: asMatch(epoch, EPOCH), version: asCount(version) };
}
