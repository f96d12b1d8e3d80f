import { numberOf, textOf } from './cells.ts';
import type { Client } from './client.ts';
import { findPart } from './find-element.ts';
import { colour, initialsOf, nameIn } from './person.ts';
import { fraction } from './point.ts';

const WAVE_MILLISECONDS = 1_800;
/** More than these are not shown, so that a person who waves without an end does not hide the board. */
const MOST_WAVES = 12;

/** Shows who else is here, their pointers and their waves. Tells the others about this person's pointer. */
export function showPeople({ presence, events, person }: Client, pane: HTMLElement): void {
  const store = presence.getStore();
  const board = findPart(pane, 'board', HTMLElement);
  const list = findPart(pane, 'people', HTMLElement);
  const pointers = findPart(pane, 'pointers', HTMLElement);
  const news = findPart(pane, 'news', HTMLElement);

  board.addEventListener('pointermove', ({ clientX, clientY }) => {
    const { left, top, width, height } = board.getBoundingClientRect();
    presence.set({ x: fraction((clientX - left) / width), y: fraction((clientY - top) / height) });
  });
  for (const type of ['pointerleave', 'pointercancel'] as const)
    board.addEventListener(type, () => presence.set({ x: undefined, y: undefined }));

  const show = (): void => {
    const others = store
      .getRowIds('connections')
      .filter((id) => id !== presence.getId())
      .map((id) => store.getRow('connections', id));
    const users = new Set(others.map(({ user }) => textOf(user)));
    list.replaceChildren(
      ...[...users].sort().map((user) => {
        const item = document.createElement('li');
        const name = nameIn(store, user);
        colour(item, name);
        item.className += ' avatar';
        item.title = name;
        item.innerHTML = '<span aria-hidden="true"></span><span class="for-readers"></span>';
        item.children[0]?.append(initialsOf(name));
        item.children[1]?.append(name);
        return item;
      }),
    );
    pointers.replaceChildren(
      ...others.flatMap(({ x, y, user }) => {
        if (x === undefined || y === undefined) return [];
        return [pointerElement(nameIn(store, textOf(user)), numberOf(x), numberOf(y))];
      }),
    );
  };
  store.addTablesListener(show);
  show();

  events.addListener('waved', ({ id, name }, from) => {
    const { x, y } = from === undefined ? {} : store.getRow('connections', from);
    const hand = document.createElement('span');
    hand.className = 'wave';
    hand.textContent = '👋';
    hand.style.left = `${(x === undefined ? 0.5 : numberOf(x)) * 100}%`;
    hand.style.top = `${(y === undefined ? 0.6 : numberOf(y)) * 100}%`;
    // Not among the pointers, which are made anew all the time.
    board.append(hand);
    const hands = board.querySelectorAll('.wave');
    if (hands.length > MOST_WAVES) hands[0]?.remove();
    setTimeout(() => hand.remove(), WAVE_MILLISECONDS);
    news.textContent = id === person.id ? 'You wave.' : `${name} waves.`;
  });
}

function pointerElement(name: string, x: number, y: number): HTMLElement {
  const element = document.createElement('div');
  element.className = 'pointer';
  element.style.left = `${x * 100}%`;
  element.style.top = `${y * 100}%`;
  element.innerHTML =
    '<svg viewBox="0 0 16 16" width="16" height="16"><path d="M1 1l5 14 2.4-6.1L15 6.6z"/></svg><span></span>';
  element.lastElementChild?.append(name);
  colour(element, name);
  return element;
}
