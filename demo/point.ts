/** A point of the board: both numbers are from 0 to 1. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Returns the nearest number from 0 to 1. Three digits are exact enough, and short. */
export function fraction(number: number): number {
  return Math.round(Math.min(Math.max(number, 0), 1) * 1e3) / 1e3;
}

/** Points that are spread over the board. */
const PLACES: readonly Point[] = [0.02, 0.5, 0.98].flatMap((x) =>
  [0.04, 0.5, 0.96].map((y) => ({ x, y })),
);

/** Returns a point that is far from all others. */
export function freePoint(others: readonly Point[]): Point {
  const roomAt = ({ x, y }: Point): number =>
    Math.min(...others.map((other) => Math.hypot(other.x - x, other.y - y)), Number.MAX_VALUE);
  return PLACES.reduce((best, place) => (roomAt(place) > roomAt(best) ? place : best));
}
