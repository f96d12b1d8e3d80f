import type { CellOrUndefined } from 'tinybase';

/** Returns a Cell that should be a text; an empty one if it is something else, or missing. */
export function textOf(cell: CellOrUndefined): string {
  return typeof cell === 'string' ? cell : '';
}

/** Returns a Cell that should be a number; 0 if it is something else, or missing. */
export function numberOf(cell: CellOrUndefined): number {
  return typeof cell === 'number' ? cell : 0;
}
