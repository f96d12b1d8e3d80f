import { getUniqueId } from 'tinybase';
import type { Refusal } from '../src/client/index.ts';
import { numberOf } from './cells.ts';
import type { Client } from './client.ts';
import { findPart } from './find-element.ts';
import { createNote, type NoteView } from './note.ts';
import { freePoint } from './point.ts';

/** The board of one client. */
export interface Board {
  /** Adds a note, and puts the focus into it. */
  add(): void;
  /** Saves texts that were not saved yet. */
  flush(): void;
}

/** Keeps the board in a pane equal to the table `notes`. */
export function createBoard(client: Client, pane: HTMLElement): Board {
  const { store, presence, persister, person } = client;
  const list = findPart(pane, 'notes', HTMLElement);
  const emptyHint = findPart(pane, 'empty', HTMLElement);
  const addButton = findPart(pane, 'add', HTMLButtonElement);
  const news = findPart(pane, 'news', HTMLElement);
  const notes = new Map<string, NoteView>();
  const tell = (sentence: string): void => {
    news.textContent = sentence;
  };

  const createdAt = (rowId: string): number => numberOf(store.getCell('notes', rowId, 'createdAt'));
  const byAge = (rowId1: string, rowId2: string): number =>
    createdAt(rowId1) - createdAt(rowId2) || (rowId1 < rowId2 ? -1 : 1);

  /** Removes a note. If it has the focus, its neighbour gets it: the focus must not be lost. */
  const remove = (rowId: string, { element }: NoteView): void => {
    const hasFocus = element.contains(document.activeElement);
    const neighbour = element.nextElementSibling ?? element.previousElementSibling;
    element.remove();
    notes.delete(rowId);
    if (hasFocus) (neighbour?.querySelector('textarea') ?? addButton).focus();
  };

  const show = (): void => {
    const rowIds = store.getRowIds('notes').sort(byAge);
    for (const [rowId, note] of notes) if (!store.hasRow('notes', rowId)) remove(rowId, note);
    rowIds.forEach((rowId, position) => {
      const note = notes.get(rowId) ?? createNote(client, rowId, tell);
      notes.set(rowId, note);
      note.show();
      // Moving an element that is in its place already would take the focus from it.
      if (list.children[position] !== note.element)
        list.insertBefore(note.element, list.children[position] ?? null);
    });
    emptyHint.hidden = rowIds.length > 0;
  };

  store.addTableListener('notes', show);
  presence.getStore().addTablesListener(() => notes.forEach((note) => note.show()));
  persister.addRefusalListener((_persister, refusals) => {
    for (const [rowId, from] of refusedNotes(refusals)) notes.get(rowId)?.refused(from);
  });
  show();

  return {
    add: () => {
      const rowId = getUniqueId();
      store.setRow('notes', rowId, {
        text: '',
        ...freePoint(store),
        // All cells: an undo takes back these, and not those that the schema of the room would add.
        isPinned: false,
        by: person.name,
        createdAt: Date.now(),
      });
      notes.get(rowId)?.field.focus();
    },
    flush: () => notes.forEach((note) => note.flush()),
  };
}

/** Returns the notes of which the room has refused an edit, and the point to which they should have gone. */
function refusedNotes(
  refusals: readonly Refusal[],
): ReadonlyMap<string, { readonly x?: number; readonly y?: number }> {
  const points = new Map<string, { x?: number; y?: number }>();
  for (const refusal of refusals) {
    if (refusal.type === 'value') continue;
    const point = points.get(refusal.rowId) ?? {};
    points.set(refusal.rowId, point);
    if (refusal.type !== 'cell' || typeof refusal.cell !== 'number') continue;
    if (refusal.cellId === 'x') point.x = refusal.cell;
    if (refusal.cellId === 'y') point.y = refusal.cell;
  }
  return points;
}
