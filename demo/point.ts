import type { Store } from 'tinybase';
import { numberOf } from './cells.ts';

/** A point of the board: both numbers are from 0 to 1. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Returns the nearest number from 0 to 1. Three digits are exact enough, and short. */
export function fraction(number: number): number {
  return Math.round(Math.min(Math.max(number, 0), 1) * 1e3) / 1e3;
}

const COLUMNS: readonly number[] = [0.02, 0.5, 0.98];
/** The rows of a board. A board with more notes is higher (`.board:has` in style.css), so that none covers another one, also on a phone. */
const ROWS: readonly number[] = [4, 7, 13, 25];
/** So near to another note, in parts of the distance between two rows, a place is taken. */
const NEAR = 0.36;

/** Returns the point at which a note is. */
export function pointOf(store: Store, rowId: string): Point {
  const { x, y } = store.getRow('notes', rowId);
  return { x: numberOf(x), y: numberOf(y) };
}

/** Returns a point at which there is no note yet: of three columns, in the fewest rows. There are more than notes. */
export function freePoint(store: Store): Point {
  const others = store.getRowIds('notes').map((rowId) => pointOf(store, rowId));
  const roomAt = ({ x, y }: Point): number =>
    Math.min(...others.map((other) => Math.hypot(other.x - x, other.y - y)), Number.MAX_VALUE);
  const bestOf = (rows: number): Point =>
    gridOf(rows).reduce((best, place) => (roomAt(place) > roomAt(best) ? place : best));
  const rows = ROWS.find((count) => roomAt(bestOf(count)) > NEAR / (count - 1));
  return bestOf(rows ?? Math.max(...ROWS));
}

function gridOf(rows: number): readonly Point[] {
  const last = rows - 1;
  return COLUMNS.flatMap((x) =>
    Array.from({ length: rows }, (_, row) => ({ x, y: fraction(0.02 + (0.96 * row) / last) })),
  );
}
