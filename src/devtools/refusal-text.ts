import type { Refusal } from '../client/index.ts';

/** The most characters of a value that are shown. */
const MOST_TEXT = 60;

/** Returns the address of a refused edit and what it would have done, as people read it. */
export function refusalText(refusal: Refusal): string {
  switch (refusal.type) {
    case 'row':
      return `${refusal.tableId} / ${refusal.rowId}, deleted`;
    case 'cell':
      return `${refusal.tableId} / ${refusal.rowId} / ${refusal.cellId}${leafText(refusal.cell)}`;
    case 'value':
      return `${refusal.valueId}${leafText(refusal.value)}`;
  }
}

function leafText(leaf: unknown): string {
  if (leaf === undefined) return ', deleted';
  const text = JSON.stringify(leaf);
  return ` = ${text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text}`;
}
