import type { Report } from './table.ts';

const WIDTH = 860;
const LABEL = 330;
const BAR = 11;
const GAP = 12;
const COLOURS: Readonly<Record<string, string>> = {
  ours: '#d4318c',
  bare: '#bbb',
  durable: '#999',
};
const PEER = '#6b8fb5';

/** A bar is at most so much longer than the next one: otherwise nothing would be seen of all others. */
const MOST_TIMES = 2;

/** The times of a report as bars, each measure with a scale of its own: the shorter the better. Bytes are in the table alone. */
export function chartOf({ rows, date, machine }: Report): string {
  const parts: string[] = [];
  let y = 44;
  for (const { measure, unit, results } of rows) {
    if (unit !== 'ms') continue;
    const right = results.filter(({ failure }) => failure === undefined);
    const [longest = 1, next = longest] = right
      .map(({ median }) => median)
      .toSorted((one, other) => other - one);
    const scale = Math.min(longest, next * MOST_TIMES);
    parts.push(text(LABEL - 110, y + BAR - 2, `${measure} (${unit})`, 'end', 'bold'));
    for (const { contender, median } of right) {
      const share = Math.min(1, median / scale);
      const length = Math.max(1, share * (WIDTH - LABEL - 80));
      parts.push(
        text(LABEL - 6, y + BAR - 2, contender, 'end'),
        `<rect x="${LABEL}" y="${y}" width="${length.toFixed(1)}" height="${BAR - 2}" fill="${COLOURS[contender] ?? PEER}"/>`,
        text(
          LABEL + length + 5,
          y + BAR - 2,
          `${round(median)}${median > scale ? ' (cut)' : ''}`,
          'start',
        ),
      );
      y += BAR;
    }
    y += GAP;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH + 120} ${y + 8}" font-family="system-ui, sans-serif" font-size="9.5" fill="#222">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<g transform="translate(110 0)">`,
    text(-100, 20, 'Medians of one run: shorter is better', 'start', 'bold'),
    text(-100, 33, `${date}; ${machine}`, 'start'),
    ...parts,
    '</g></svg>',
    '',
  ].join('\n');
}

function text(x: number, y: number, content: string, anchor: string, weight = 'normal'): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${x.toFixed(1)}" y="${y}" text-anchor="${anchor}" font-weight="${weight}">${escaped}</text>`;
}

function round(value: number): string {
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
}
