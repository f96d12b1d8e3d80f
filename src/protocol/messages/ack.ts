import { encodeChanges, jsonToChanges } from '../changes-codec.ts';
import type { Changes } from '../changes.ts';
import { asTag, type Cursor } from '../cursor.ts';
import { asArray, asCount, decodeJson, type Json } from '../json.ts';
import { asPushNumber } from './push.ts';

/** The answer to a push, for its author. */
export interface Ack extends Pick<Cursor, 'tag'> {
  readonly type: 'ack';
  readonly number: number;
  /** The room's version after the push. */
  readonly version: number;
  /** True if the push changed something and so got a version of its own: `version`. */
  readonly isCommit: boolean;
  /** The room's result where it differs from the push. The client folds the push into its base, then this. */
  readonly correction: Changes | undefined;
  /** Set if the room refused or altered anything. */
  readonly reason: RefusalReason | undefined;
}

/** The reason why the room changed or refused part of a push. */
export type RefusalReason =
  /** One of the room's `can…` hooks refused it. */
  | 'hook'
  /** The schema, a listener or middleware of the room's Store altered it. */
  | 'schema'
  /** A hook or listener of the room threw; nothing of the push was applied. */
  | 'failed'
  /** A hook did not settle in time; nothing of the push was applied. */
  | 'timeout'
  /** The user may only read; nothing of the push was applied (`GATE-8`). */
  | 'access'
  /** The push, or the room's content with it, would be too large; nothing of the push was applied (`LIMIT-1`). */
  | 'too-large';

const REFUSAL_REASONS: readonly RefusalReason[] = [
  'hook',
  'schema',
  'failed',
  'timeout',
  'access',
  'too-large',
];

export const letter = 'a';

export function encode({ number, version, isCommit, correction, reason, tag }: Ack): string {
  const beginning = `[${number},${version},${isCommit ? 1 : 0}`;
  if (correction === undefined && reason === undefined && tag === undefined) return `${beginning}]`;
  const correctionText = correction === undefined ? 'null' : encodeChanges(correction);
  if (tag !== undefined)
    return `${beginning},${correctionText},${JSON.stringify(reason ?? null)},${JSON.stringify(tag)}]`;
  if (reason === undefined) return `${beginning},${correctionText}]`;
  return `${beginning},${correctionText},${JSON.stringify(reason)}]`;
}

export function decode(json: string): Ack {
  return decodeJson('ack', json, jsonToAck);
}

function jsonToAck(json: Json | undefined): Ack {
  const [number, version, isCommit, correction, reason, tag] = asArray(json, 3, 6);
  return {
    type: 'ack',
    number: asPushNumber(number),
    version: asCount(version),
    isCommit: asCount(isCommit) === 1,
    correction:
      correction === undefined || correction === null ? undefined : jsonToChanges(correction),
    reason: toRefusalReason(reason),
    ...asTag(tag),
  };
}

/** Returns undefined for a reason that a later version may add. */
export function toRefusalReason(json: Json | undefined): RefusalReason | undefined {
  return REFUSAL_REASONS.find((known) => known === json);
}
