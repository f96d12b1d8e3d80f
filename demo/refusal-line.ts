import type { Store } from 'tinybase';
import type { Refusal } from '../src/client/index.ts';
import type { Client } from './client.ts';
import { findPart } from './find-element.ts';

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
      if (refusal.type === 'cell' && refusal.cellId === 'by')
        return 'Refused: a note has the name of its author, and of nobody else.';
      return refusal.type === 'cell' && !store.hasRow('notes', refusal.rowId)
        ? 'Refused: a board has at most 60 notes.'
        : 'Refused: a pinned note stays as it is. Unpin it first.';
    default:
      return `Refused: ${refusal.reason}.`;
  }
}
