/** The mark of a push or commit that a Store made in reaction to another commit, without its user (DERIVE-1). */
import { asCount, ShapeError, type Json } from './json.ts';

/** The part of a message that carries the mark. */
export interface MaybeDerived {
  /** True if a client's Store made it in reaction to a commit. No Store reacts to it again. */
  readonly isDerived?: true | undefined;
}

/** The mark of a push. */
export interface MaybeReaction extends MaybeDerived {
  /** The version of the commit that it reacts to; undefined if that is not known any more. */
  readonly reactsTo?: number | undefined;
}

/** The version in the mark of a push that reacts to a version that is not known. */
const ANY_VERSION = 1;

/** Encodes the mark as the end of an array: `,1` or nothing. */
export function encodeDerivedMark(isDerived: boolean | undefined): string {
  return isDerived === true ? ',1' : '';
}

/** Reads the element after the last one: 1, or none. Throws a `ShapeError` for anything else. */
export function asDerivedMark(json: Json | undefined): MaybeDerived {
  if (json === undefined) return {};
  if (json !== 1) throw new ShapeError('expected 1');
  return { isDerived: true };
}

/** Encodes the mark of a push as the end of an array: the version, or nothing. */
export function encodeReactionMark({ isDerived, reactsTo = ANY_VERSION }: MaybeReaction): string {
  return isDerived === true ? `,${reactsTo}` : '';
}

/** Reads the element after the last one: a version, or none. Throws a `ShapeError` for anything else. */
export function asReactionMark(json: Json | undefined): MaybeReaction {
  if (json === undefined) return {};
  const reactsTo = asCount(json);
  if (reactsTo < ANY_VERSION) throw new ShapeError('expected a version');
  return { isDerived: true, reactsTo };
}
