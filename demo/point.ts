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

/** Points of which each has room for a whole note, on a phone as well. A board that has more than six notes is higher. */
const PLACES: readonly Point[] = gridOf([0.02, 0.5, 0.98], [0.02, 0.34, 0.66, 0.98]);
/** The others, for a board that is full. */
const STEPS: readonly number[] = Array.from({ length: 12 }, (_, step) => 0.04 + step / 12);
const FURTHER_PLACES: readonly Point[] = gridOf(STEPS, STEPS);
/** So near to another note, a place is taken. */
const NEAR = 0.12;

/** Returns the point at which a note is. */
export function pointOf(store: Store, rowId: string): Point {
  const { x, y } = store.getRow('notes', rowId);
  return { x: numberOf(x), y: numberOf(y) };
}

/** Returns a point that is far from all notes. */
export function freePoint(store: Store): Point {
  const others = store.getRowIds('notes').map((rowId) => pointOf(store, rowId));
  const roomAt = ({ x, y }: Point): number =>
    Math.min(...others.map((other) => Math.hypot(other.x - x, other.y - y)), Number.MAX_VALUE);
  const bestOf = (places: readonly Point[]): Point =>
    places.reduce((best, place) => (roomAt(place) > roomAt(best) ? place : best));
  const best = bestOf(PLACES);
  return roomAt(best) > NEAR ? best : bestOf(FURTHER_PLACES);
}

function gridOf(columns: readonly number[], rows: readonly number[]): readonly Point[] {
  return columns.flatMap((x) => rows.map((y) => ({ x: fraction(x), y: fraction(y) })));
}
