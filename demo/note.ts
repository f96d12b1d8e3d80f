import { getUniqueId, type Store } from 'tinybase';
import { numberOf, textOf } from './cells.ts';
import type { Client } from './client.ts';
import { editByWord } from './edit-by-word.ts';
import { copyTemplate, findPart } from './find-element.ts';
import { makeMovable } from './movable.ts';
import { colour, nameIn } from './person.ts';
import { pointOf, type Point } from './point.ts';

/** The element of one note. */
export interface NoteView {
  readonly element: HTMLElement;
  readonly field: HTMLTextAreaElement;
  /** Shows the note as the Stores have it. */
  show(): void;
  /** Saves a text that was not saved yet. */
  flush(): void;
  /** Shows that the room has refused an edit. The note goes back from the point to which it was moved. */
  refused(from: Partial<Point>): void;
}

const GO_BACK_MILLISECONDS = 900;
/** A key that is held moves a note many times: the last place alone is told. */
const TELL_MILLISECONDS = 500;

/** Creates the element of the note in a row. `tell` is for what only screen readers say. */
export function createNote(
  { store, presence, undo, person }: Client,
  rowId: string,
  tell: (sentence: string) => void,
): NoteView {
  const element = copyTemplate('note');
  const bar = findPart(element, 'bar', HTMLElement);
  const handle = findPart(element, 'handle', HTMLButtonElement);
  const pin = findPart(element, 'pin', HTMLButtonElement);
  const remove = findPart(element, 'remove', HTMLButtonElement);
  const field = findPart(element, 'text', HTMLTextAreaElement);
  const foot = findPart(element, 'foot', HTMLElement);
  const others = presence.getStore();
  let held: Point | undefined;
  let telling: ReturnType<typeof setTimeout> | undefined;

  // A screen reader tells which note a button is for, and who writes or wrote the text.
  field.id = getUniqueId();
  foot.id = getUniqueId();
  for (const button of [handle, pin, remove]) button.setAttribute('aria-describedby', field.id);
  field.setAttribute('aria-describedby', foot.id);

  const words = editByWord(field, (text) => {
    // The note may be gone: then a text would make a new one of it.
    if (store.hasRow('notes', rowId))
      undo.transaction(() => store.setCell('notes', rowId, 'text', text), `Write in ${rowId}`);
  });
  field.addEventListener('focus', () => presence.set({ writes: rowId }));
  field.addEventListener('blur', () => presence.set({ writes: undefined }));

  // A drag is presence: everybody sees it, and nothing is stored. The drop is one edit.
  const letGo = (): void => {
    held = undefined;
    presence.set({ holds: undefined, holdsX: undefined, holdsY: undefined });
    show();
  };
  const move = ({ x, y }: Point): void => {
    if (store.hasRow('notes', rowId))
      undo.transaction(() => store.setPartialRow('notes', rowId, { x, y }), `Move ${rowId}`);
  };
  makeMovable(element, bar, handle, {
    at: () => pointOf(store, rowId),
    dragged: (to) => {
      held = to;
      presence.set({ holds: rowId, holdsX: to.x, holdsY: to.y });
      show();
    },
    dropped: (to) => {
      undo.addCheckpoint();
      move(to);
      letGo();
    },
    stepped: (to) => {
      move(to);
      clearTimeout(telling);
      telling = setTimeout(() => {
        if (!element.isConnected) return;
        const { x, y } = pointOf(store, rowId);
        tell(`${percent(x)} from the left, ${percent(y)} from the top.`);
      }, TELL_MILLISECONDS);
    },
    cancelled: letGo,
  });

  pin.addEventListener('click', () => {
    const isPinned = store.getCell('notes', rowId, 'isPinned') === true;
    store.setCell('notes', rowId, 'isPinned', !isPinned);
  });
  remove.addEventListener('click', () => store.delRow('notes', rowId));

  const show = (): void => {
    const isPinned = store.getCell('notes', rowId, 'isPinned') === true;
    const by = textOf(store.getCell('notes', rowId, 'by'));
    words.show(textOf(store.getCell('notes', rowId, 'text')));
    colour(element, by);

    const holder = otherWith(others, presence.getId(), 'holds', rowId);
    const heldByOther = holder === undefined ? undefined : holdPointOf(others, holder);
    place(element, held ?? heldByOther ?? pointOf(store, rowId));
    element.classList.toggle('held', held !== undefined || holder !== undefined);
    element.classList.toggle('pinned', isPinned);
    pin.ariaPressed = String(isPinned);

    const writer = otherWith(others, presence.getId(), 'writes', rowId);
    const isHere = document.activeElement === field;
    const busy = writer ?? holder;
    const name = busy && nameIn(others, textOf(others.getCell('connections', busy, 'user')));
    element.classList.toggle('busy', name !== undefined);
    if (name !== undefined) colour(foot, name);
    else foot.classList.remove('coloured');
    foot.textContent =
      writer !== undefined
        ? `${name} writes${isHere ? ' here, too: the last word wins' : ''}`
        : holder !== undefined
          ? `${name} moves this`
          : by === person.name
            ? 'by you'
            : `by ${by || 'nobody'}`;
  };

  return {
    element,
    field,
    show,
    flush: () => words.flush(),
    refused: ({ x, y }) => {
      element.classList.add('refused');
      setTimeout(() => element.classList.remove('refused'), GO_BACK_MILLISECONDS);
      const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
      const to = pointOf(store, rowId);
      if (isCalm || (x === undefined && y === undefined)) return;
      element.animate([styleAt({ x: x ?? to.x, y: y ?? to.y }), styleAt(to)], {
        duration: GO_BACK_MILLISECONDS,
        easing: 'cubic-bezier(0.3, 1.6, 0.5, 1)',
      });
    },
  };
}

/** Returns another connection whose presence has the note in a cell. */
function otherWith(
  others: Store,
  ownId: string,
  cellId: 'holds' | 'writes',
  rowId: string,
): string | undefined {
  return others
    .getRowIds('connections')
    .find((id) => id !== ownId && others.getCell('connections', id, cellId) === rowId);
}

function holdPointOf(others: Store, connectionId: string): Point {
  const { holdsX, holdsY } = others.getRow('connections', connectionId);
  return { x: numberOf(holdsX), y: numberOf(holdsY) };
}

function percent(fraction: number): string {
  return `${Math.round(fraction * 100)} %`;
}

/** A note is always inside of the board, whatever the size of the board is. */
function styleAt({ x, y }: Point): { readonly left: string; readonly top: string } {
  return {
    left: `calc(${x} * (100% - var(--note-width)))`,
    top: `calc(${y} * (100% - var(--note-height)))`,
  };
}

function place(element: HTMLElement, point: Point): void {
  Object.assign(element.style, styleAt(point));
}
