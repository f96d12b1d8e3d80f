/** The mark of a push or commit that a Store made in reaction to another commit, without its user (DERIVE-1). */
import { ShapeError, type Json } from './json.ts';

/** The part of a message that carries the mark. */
export interface MaybeDerived {
  /** True if a client's Store made it in reaction to a commit. No Store reacts to it again. */
  readonly isDerived?: true | undefined;
}

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
