import type { Content, Row } from 'tinybase';

/** Content of so many cells, ten a row: numbers and short texts. */
export function contentOf(cells: number): Content {
  const rows: Record<string, Row> = {};
  for (let row = 0; row < cells / 10; row += 1) {
    rows[`row ${row}`] = Object.fromEntries(
      Array.from({ length: 10 }, (_item, cell) => [
        `cell ${cell}`,
        cell % 2 === 0 ? `text ${row} ${cell}` : row * cell,
      ]),
    );
  }
  return [{ rows }, {}];
}
