/** The mark of a push or commit that a Store made of another commit, where no user did anything (DERIVE-1). */
import { ShapeError, type Json } from './json.ts';

/** The part of a message that carries the mark. */
export interface MaybeDerived {
  /** True if a client's Store made it of a commit. Nothing is derived of it. */
  readonly isDerived?: true | undefined;
}

/** Encodes the mark as the end of an array: `,1` or nothing. */
export function encodeDerivedMark(isDerived: boolean | undefined): string {
  return isDerived === true ? ',1' : '';
}

/** Reads the element after the last one: 1, or none. Throws a `ShapeError` for anything else. */
export function asDerivedMark(json: Json | undefined): MaybeDerived {
  if (json === undefined) return {};
  if (json !== 1) throw new ShapeError('a mark is neither 1 nor left out');
  return { isDerived: true };
}
