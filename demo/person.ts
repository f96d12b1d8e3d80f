/** The person at one window of the demo. */
export interface Person {
  readonly name: string;
}

const NAMES = [
  'Otter',
  'Heron',
  'Badger',
  'Finch',
  'Lynx',
  'Hare',
  'Newt',
  'Wren',
  'Mole',
  'Swift',
];
const KEY = 'tinybase-partykit-person';
const CIRCLE_DEGREES = 360;

/** The person at this window: another name in each window, the same after a reload. */
export const personHere = (): Person => {
  const name =
    sessionStorage.getItem(KEY) ?? NAMES[Math.floor(Math.random() * NAMES.length)] ?? 'Somebody';
  sessionStorage.setItem(KEY, name);
  return { name };
};

/** Makes an element a label with a person's name, in a colour that every window gives that name. */
export const showPerson = (element: HTMLElement, { name }: Person): void => {
  const hue = (Math.max(NAMES.indexOf(name), 0) * CIRCLE_DEGREES) / NAMES.length;
  element.textContent = name;
  element.classList.add('person');
  element.style.setProperty('--hue', String(hue));
};
