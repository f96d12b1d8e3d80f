import type { Content, Row } from 'tinybase';

/** The number of cells in each row of {@link contentOf}. */
export const CELLS_A_ROW = 10;

/** Content of so many cells, ten a row: numbers and short texts. */
export function contentOf(cells: number): Content {
  const rows: Record<string, Row> = {};
  for (let row = 0; row < cells / CELLS_A_ROW; row += 1) {
    rows[`row ${row}`] = Object.fromEntries(
      Array.from({ length: CELLS_A_ROW }, (_item, cell) => [
        `cell ${cell}`,
        cell % 2 === 0 ? `text ${row} ${cell}` : row * cell,
      ]),
    );
  }
  return [{ rows }, {}];
}
