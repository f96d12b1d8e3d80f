import { encodeChanges, jsonToChanges } from '../changes-codec.ts';
import type { Changes } from '../changes.ts';
import { asDerivedMark, encodeDerivedMark, type MaybeDerived } from '../derived-mark.ts';
import { encodeFrame } from '../frame.ts';
import { asArray, asCount, decodeJson, type Json } from '../json.ts';

/** A transaction that the room has ordered. Every live connection gets it, except its author's. */
export interface Commit extends MaybeDerived {
  readonly type: 'commit';
  readonly version: number;
  readonly changes: Changes;
}

export const letter = 'c';

export function encode({ version, changes, isDerived }: Commit): string {
  return encodeVersioned(version, encodeChanges(changes), isDerived);
}

/** Encodes a commit of changes that {@link encodeChanges} has already encoded. */
function encodeVersioned(version: number, changes: string, isDerived: boolean | undefined): string {
  return `[${version},${changes}${encodeDerivedMark(isDerived)}]`;
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
): string {
  return encodeFrame(prefix, letter, encodeVersioned(version, changes, isDerived));
}

function jsonToCommit(json: Json | undefined): Commit {
  const [version, changes, mark] = asArray(json, 2, 3);
  return {
    type: 'commit',
    version: asCount(version),
    changes: jsonToChanges(changes),
    ...asDerivedMark(mark),
  };
}
