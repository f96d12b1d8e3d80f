import { encodeChanges, jsonToChanges } from '../changes-codec.ts';
import type { Changes } from '../changes.ts';
import { encodeFrame } from '../frame.ts';
import { asArray, asCount, decodeJson, type Json } from '../json.ts';

/** A transaction that the room has ordered. Every live connection gets it, except its author's. */
export interface Commit {
  readonly type: 'commit';
  readonly version: number;
  readonly changes: Changes;
}

export const letter = 'c';

export function encode({ version, changes }: Commit): string {
  return encodeVersioned(version, encodeChanges(changes));
}

/** Encodes a commit of changes that {@link encodeChanges} has already encoded. */
function encodeVersioned(version: number, changes: string): string {
  return `[${version},${changes}]`;
}

export function decode(json: string): Commit {
  return decodeJson('commit', json, jsonToCommit);
}

/** Encodes a whole frame, of changes that {@link encodeChanges} has already encoded: all peers share one text. */
export function encodeCommitFrame(prefix: string, version: number, changes: string): string {
  return encodeFrame(prefix, letter, encodeVersioned(version, changes));
}

function jsonToCommit(json: Json | undefined): Commit {
  const [version, changes] = asArray(json, 2, 2);
  return { type: 'commit', version: asCount(version), changes: jsonToChanges(changes) };
}
