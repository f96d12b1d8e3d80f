import { encodeChanges, jsonToChanges } from '../changes-codec.ts';
import type { Changes } from '../changes.ts';
import { assertSendable } from '../unsendable-leaves.ts';
import { asReactionMark, encodeReactionMark, type MaybeReaction } from '../derived-mark.ts';
import { describeInvalidChanges } from '../describe-invalid.ts';
import { encodeFrame } from '../frame.ts';
import { asArray, asCount, decodeJson, isArray, ShapeError, type Json } from '../json.ts';

/** One transaction of a client. The room puts it in order. */
export interface Push extends MaybeReaction {
  readonly type: 'push';
  /** 1, 2, 3 … for each client id. */
  readonly number: number;
  readonly changes: Changes;
}

export const letter = 'p';

export function encode(push: Push): string {
  return encodeNumbered(push.number, encodeChanges(push.changes), push);
}

/** Encodes a push of changes that {@link encodeChanges} has already encoded. */
export function encodeNumbered(number: number, changes: string, mark: MaybeReaction): string {
  return `[${number},${changes}${encodeReactionMark(mark)}]`;
}

export function decode(json: string): Push {
  return decodeJson('push', json, jsonToPush, describeInvalidPush);
}

/** Encodes a whole frame, of changes that {@link encodeChanges} has already encoded. */
export function encodePushFrame(
  prefix: string,
  number: number,
  changes: string,
  mark: MaybeReaction = {},
): string {
  return encodeFrame(prefix, letter, encodeNumbered(number, changes, mark));
}

/** Reads {@link encode}. Throws a `ShapeError` for anything else, and if a leaf is one that no message may carry (`CHANGES-4`). */
function jsonToPush(json: Json | undefined): Push {
  const [number, changesJson, mark] = asArray(json, 2, 3);
  const changes = jsonToChanges(changesJson);
  changes.leaves.forEach(assertSendable);
  return { type: 'push', number: asPushNumber(number), changes, ...asReactionMark(mark) };
}

/** Describes the fault in the changes of an invalid push; undefined if the fault is elsewhere. */
function describeInvalidPush(json: Json | undefined): string | undefined {
  return isArray(json) ? describeInvalidChanges(json[1]) : undefined;
}

/** Checks the number of a push: 1, 2, 3 … */
export function asPushNumber(json: Json | undefined): number {
  const number = asCount(json);
  if (number === 0) throw new ShapeError('push numbers begin at 1');
  return number;
}
