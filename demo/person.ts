import { getUniqueId, type Store } from 'tinybase';
import { textOf } from './cells.ts';

/** The person at one side of the page. */
export interface Person {
  readonly id: string;
  readonly name: string;
}

/** The side of the page that a person is on. */
export type Side = 'left' | 'right';

/** The first word of a name is a colour, so that a name and its colour are one. The numbers are hues, in degrees. */
const HUES: ReadonlyMap<string, number> = new Map([
  ['Coral', 14],
  ['Amber', 42],
  ['Lime', 85],
  ['Emerald', 150],
  ['Teal', 180],
  ['Azure', 208],
  ['Indigo', 240],
  ['Violet', 272],
  ['Orchid', 305],
  ['Ruby', 345],
]);
const HALF_CIRCLE = 180;
/** Two people on one page have colours that are at least so many degrees apart. */
const LEAST_DISTANCE = 90;
const ANIMALS =
  'Badger Crane Dormouse Eagle Finch Gecko Heron Ibex Jackdaw Koala Lynx Marten Newt Otter Puffin Raven Seal Toad Vole Wren'.split(
    ' ',
  );

/** Returns the hue of a name; undefined if it is not the name of a person, such as "the room". */
function hueOf(name: string): number | undefined {
  return HUES.get(name.split(' ')[0] ?? '');
}

/** Gives an element the colour of a name. */
export function colour(element: HTMLElement, name: string): void {
  const hue = hueOf(name);
  if (hue === undefined) element.style.removeProperty('--hue');
  else element.style.setProperty('--hue', String(hue));
  element.classList.toggle('coloured', hue !== undefined);
}

/** Returns the letters that stand for a name: "AO" for "Amber Otter". */
export function initialsOf(name: string): string {
  return name
    .split(' ')
    .map((word) => word.slice(0, 1))
    .join('');
}

/** Returns the person at a side: the same after a reload, another one in each window. */
export function personAt(side: Side, neighbour?: Person): Person {
  const key = `board-person-${side}`;
  const [id = '', ...words] = (sessionStorage.getItem(key) ?? '').split(' ');
  // What is stored may be anything. A name has a colour.
  const name = words.join(' ');
  if (id !== '' && hueOf(name) !== undefined) return { id, name };
  const person = { id: getUniqueId(), name: drawName(neighbour) };
  sessionStorage.setItem(key, `${person.id} ${person.name}`);
  return person;
}

/** Draws a name with a colour that differs much from the neighbour's. */
function drawName(neighbour: Person | undefined): string {
  const colours = [...HUES].flatMap(([word, hue]) => {
    const distance = Math.abs(hue - ((neighbour && hueOf(neighbour.name)) ?? hue + HALF_CIRCLE));
    return Math.min(distance, 2 * HALF_CIRCLE - distance) < LEAST_DISTANCE ? [] : [word];
  });
  return `${drawFrom(colours)} ${drawFrom(ANIMALS)}`;
}

function drawFrom(words: readonly string[]): string {
  return words[Math.floor(Math.random() * words.length)] ?? 'Somebody';
}

/** Returns the name of a user in presence. If several have the same name, all but the first have a number, too. */
export function nameIn(presence: Store, userId: string): string {
  const nameOf = (id: string): string =>
    textOf(presence.getCell('users', id, 'name')) || 'Somebody';
  const name = nameOf(userId);
  const namesakes = presence.getRowIds('users').filter((id) => nameOf(id) === name);
  const place = namesakes.sort().indexOf(userId);
  return place > 0 ? `${name} ${place + 1}` : name;
}
