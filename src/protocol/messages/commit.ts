import { encodeChanges, jsonToChanges } from '../changes-codec.ts';
import type { Changes } from '../changes.ts';
import { asTag, type Cursor } from '../cursor.ts';
import { asDerivedMark, encodeDerivedMark, type MaybeDerived } from '../derived-mark.ts';
import { encodeFrame } from '../frame.ts';
import { asArray, asCount, decodeJson, type Json } from '../json.ts';

/** A transaction that the room has ordered. Every live connection gets it, except its author's. */
export interface Commit extends MaybeDerived, Pick<Cursor, 'tag'> {
  readonly type: 'commit';
  readonly version: number;
  readonly changes: Changes;
}

export const letter = 'c';

export function encode({ version, changes, isDerived, tag }: Commit): string {
  return encodeVersioned(version, encodeChanges(changes), isDerived, tag);
}

/** Encodes a commit of changes that {@link encodeChanges} has already encoded. */
function encodeVersioned(
  version: number,
  changes: string,
  isDerived: boolean | undefined,
  tag: string | undefined,
): string {
  if (tag === undefined) return `[${version},${changes}${encodeDerivedMark(isDerived)}]`;
  return `[${version},${changes},${isDerived === true ? 1 : 0},${JSON.stringify(tag)}]`;
}

export function decode(json: string): Commit {
  return decodeJson('commit', json, jsonToCommit);
}

/** Encodes a whole frame, of changes that {@link encodeChanges} has already encoded: all peers share one text. */
export function encodeCommitFrame(
  prefix: string,
  version: number,
  changes: string,
  isDerived?: boolean,
  tag?: string,
): string {
  return encodeFrame(prefix, letter, encodeVersioned(version, changes, isDerived, tag));
}

function jsonToCommit(json: Json | undefined): Commit {
  const [version, changes, mark, tag] = asArray(json, 2, 4);
  return {
    type: 'commit',
    version: asCount(version),
    changes: jsonToChanges(changes),
    ...asDerivedMark(tag !== undefined && mark === 0 ? undefined : mark),
    ...asTag(tag),
  };
}
