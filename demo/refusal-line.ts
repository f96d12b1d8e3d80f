import type { Store } from 'tinybase';
import type { Refusal } from '../src/client/index.ts';
import type { Client } from './client.ts';
import { findPart } from './find-element.ts';
import { LONGEST_TEXT, MOST_NOTES } from './note-limits.ts';

const SHOWN_MILLISECONDS = 8_000;

/** Says for a while what the room has refused, and why. */
export function showRefusals({ persister, store }: Client, pane: HTMLElement): void {
  const line = findPart(pane, 'refusal', HTMLElement);
  let timer: ReturnType<typeof setTimeout> | undefined;
  persister.addRefusalListener((_persister, refusals) => {
    line.textContent = [...new Set(refusals.map((refusal) => sentenceOf(refusal, store)))].join(
      ' ',
    );
    line.hidden = false;
    clearTimeout(timer);
    timer = setTimeout(() => {
      line.hidden = true;
    }, SHOWN_MILLISECONDS);
  });
}

function sentenceOf(refusal: Refusal, store: Store): string {
  switch (refusal.reason) {
    case 'access':
      return 'Refused: you may only read this board.';
    case 'hook':
      return `Refused: ${ruleOf(refusal, store)}`;
    default:
      return `Refused: ${refusal.reason}.`;
  }
}

/** Returns the rule of the room that an edit breaks: hooks of a room say no more than no. */
function ruleOf(refusal: Refusal, store: Store): string {
  if (refusal.type === 'cell') {
    const { rowId, cellId, cell } = refusal;
    if (!store.hasRow('notes', rowId)) return `a board has at most ${MOST_NOTES} notes.`;
    if (cellId === 'by') return 'a note has the name of its author, and of nobody else.';
    if (typeof cell === 'string' && cell.length > LONGEST_TEXT)
      return `a note has at most ${LONGEST_TEXT} characters.`;
  }
  return 'a pinned note stays as it is. Unpin it first.';
}
