import type { Refusal, Sync } from '../client/index.ts';
import { byteText } from './byte-text.ts';
import type { DevtoolsCorner } from './devtools-options.ts';
import { PANEL_STYLE } from './panel-style.ts';
import { moodOf, phaseText, type Mood } from './phase-text.ts';
import { refusalText } from './refusal-text.ts';
import type { Traffic, WatchedFrame } from './traffic.ts';

/** The most refusals that are listed. */
const MOST_REFUSALS = 30;
const REASONS = 'Reasons: docs/api.md of the package.';

/** Everything that the panel shows at one moment. */
export interface PanelFacts {
  readonly sync: Sync;
  readonly title: string;
  readonly room: string;
  readonly traffic: Traffic;
  /** The size of the whole content; undefined if it cannot be told. */
  readonly contentBytes: number | undefined;
  /** The bytes that came over HTTP in the last load; undefined if none was told. */
  readonly loadedBytes: number | undefined;
}

type FactName =
  | 'State'
  | 'Room'
  | 'Version'
  | 'Unsaved'
  | 'Local-only'
  | 'Last catch-up'
  | 'Round trip'
  | 'Sent'
  | 'Received';

const NO_FACTS: Readonly<Record<FactName, string>> = {
  State: '–',
  Room: '–',
  Version: '–',
  Unsaved: '–',
  'Local-only': '–',
  'Last catch-up': '–',
  'Round trip': '–',
  Sent: '–',
  Received: '–',
};

/** The elements of the panel: a button, and what it opens. It knows no persister. */
export class Panel {
  readonly element: HTMLElement = document.createElement('div');
  readonly #onOpen: () => void;
  readonly #launcher: HTMLButtonElement;
  readonly #panel: HTMLElement;
  readonly #title: HTMLElement;
  readonly #closer: HTMLButtonElement;
  readonly #facts = new Map<FactName, HTMLElement>();
  readonly #problem: HTMLElement;
  readonly #refusals: HTMLElement;
  readonly #frames: HTMLElement;

  constructor(corner: DevtoolsCorner, isFloating: boolean, onOpen: () => void) {
    this.#onOpen = onOpen;
    const place = corner.replace('-', ' ');
    this.#launcher = make('button', {
      type: 'button',
      className: `launcher ${isFloating ? `floating ${place}` : ''}`,
      ariaExpanded: 'false',
    });
    this.#closer = make('button', {
      type: 'button',
      textContent: '✕',
      ariaLabel: 'Close',
      title: 'Close (Escape)',
    });
    this.#title = make('h2');
    this.#problem = make('p', { className: 'problem', hidden: true });
    this.#refusals = make('ol', { className: 'refusals', ariaLabel: 'Refusals' });
    this.#frames = make('ol', { className: 'frames', ariaLabel: 'Frames, newest first' });
    this.#panel = make('div', { className: `panel ${place}`, popover: 'manual', role: 'region' });
    this.#panel.append(
      make('header', {}, [this.#title, this.#closer]),
      this.#factList(),
      this.#problem,
      make('section', {}, [
        make('h3', { textContent: 'Refusals' }),
        this.#refusals,
        make('p', { className: 'none', textContent: REASONS }),
      ]),
      make('section', {}, [make('h3', { textContent: 'Frames' }), this.#frames]),
    );
    this.#showNone(this.#refusals, 'None so far.');
    this.#showNone(this.#frames, 'None since this panel is here.');

    const root = this.element.attachShadow({ mode: 'open' });
    const style = new CSSStyleSheet();
    style.replaceSync(PANEL_STYLE);
    root.adoptedStyleSheets = [style];
    root.append(this.#launcher, this.#panel);

    this.#launcher.addEventListener('click', () => {
      if (this.isOpen) this.close();
      else {
        this.open();
        this.#closer.focus();
      }
    });
    this.#closer.addEventListener('click', () => this.close());
    root.addEventListener('keydown', (event) => {
      // The page does not see keys that are meant for the panel.
      event.stopPropagation();
      if (event instanceof KeyboardEvent && event.key === 'Escape') this.close();
    });
  }

  get isOpen(): boolean {
    return this.#launcher.ariaExpanded === 'true';
  }

  /** Opens the panel. The element has to be in the document. */
  open(): void {
    if (this.isOpen) return;
    this.#launcher.ariaExpanded = 'true';
    this.#panel.showPopover();
    this.#onOpen();
  }

  close(): void {
    if (!this.isOpen) return;
    const hadFocus = this.#panel.contains(this.element.shadowRoot?.activeElement ?? null);
    this.#launcher.ariaExpanded = 'false';
    this.#panel.hidePopover();
    if (hadFocus) this.#launcher.focus();
  }

  /** Shows the state on the button. */
  showOnLauncher(sync: Sync, title: string): void {
    const state = stateText(sync);
    this.#launcher.textContent = `Devtools · ${state}`;
    this.#launcher.title = `Devtools of ${title}`;
    this.#launcher.ariaLabel = `Devtools of ${title}: ${state}`;
    setMood(this.#launcher, moodOf(sync));
  }

  /** Shows everything but the lists, which grow by themselves. */
  show({ sync, title, room, traffic, contentBytes, loadedBytes }: PanelFacts): void {
    this.#title.textContent = title;
    this.#panel.ariaLabel = `Devtools of ${title}`;
    const { sent, received, version, catchUp, roundTripMilliseconds } = traffic;
    const content =
      contentBytes === undefined ? '' : `; the whole content: ${byteText(contentBytes)}`;
    const loaded = loadedBytes === undefined ? '' : ` (${byteText(loadedBytes)})`;
    const texts: Readonly<Record<FactName, string>> = {
      State: phaseText(sync),
      Room: room,
      Version: version === undefined ? '–' : String(version),
      Unsaved: countText(sync.unsaved, 'edit'),
      'Local-only': countText(sync.localOnly, 'leaf', 'leaves'),
      'Last catch-up':
        catchUp === undefined
          ? '–'
          : catchUp.isReload
            ? `content loaded over HTTP${loaded}`
            : `${byteText(catchUp.bytes)}${content}`,
      'Round trip':
        roundTripMilliseconds === undefined
          ? '–'
          : `${Math.max(1, Math.round(roundTripMilliseconds))} ms`,
      Sent: `${countText(sent.frames, 'frame')}, ${byteText(sent.bytes)}`,
      Received: `${countText(received.frames, 'frame')}, ${byteText(received.bytes)}`,
    };
    for (const [name, element] of this.#facts) element.textContent = texts[name];
    const state = this.#facts.get('State');
    if (state !== undefined) setMood(state, moodOf(sync));
    const { error } = sync;
    this.#problem.hidden = error === undefined;
    this.#problem.textContent =
      error === undefined
        ? ''
        : `${error.message} See “${error.code}” in docs/troubleshooting.md of the package.`;
  }

  /** Lists frames, oldest first, in place of those that were listed. */
  listFrames(frames: readonly WatchedFrame[], most: number): void {
    if (frames.length === 0) return;
    this.#frames.replaceChildren();
    for (const frame of frames) this.addFrame(frame, most);
  }

  /** Adds a frame, and drops the oldest if there are more than `most`. */
  addFrame({ direction, description, bytes, at, text }: WatchedFrame, most: number): void {
    const arrow = make('span', { textContent: direction === 'sent' ? '↑' : '↓' });
    arrow.ariaLabel = direction;
    arrow.role = 'img';
    const summary = make('summary', {}, [
      arrow,
      make('span', { textContent: description }),
      make('span', { className: 'bytes', textContent: byteText(bytes) }),
      make('time', { textContent: timeText(at) }),
    ]);
    const details = make('details', {}, [summary]);
    // The text is there once somebody wants to see it.
    details.addEventListener('toggle', () => {
      if (details.childElementCount === 1)
        details.append(make('pre', { textContent: text === '' ? 'binary' : text, tabIndex: 0 }));
    });
    this.#prepend(this.#frames, make('li', {}, [details]), most);
  }

  addRefusal(refusal: Refusal, at: Date): void {
    const item = make('li', {}, [
      make('b', { textContent: refusal.reason }),
      make('span', { textContent: ` ${refusalText(refusal)} ` }),
      make('time', { textContent: timeText(at) }),
    ]);
    this.#prepend(this.#refusals, item, MOST_REFUSALS);
  }

  #factList(): HTMLElement {
    const list = make('dl');
    for (const [name, text] of Object.entries(NO_FACTS)) {
      const value = make('dd', { textContent: text });
      list.append(make('dt', { textContent: name }), value);
      if (isFactName(name)) this.#facts.set(name, value);
    }
    this.#facts.get('State')?.classList.add('dot');
    return list;
  }

  #prepend(list: HTMLElement, item: HTMLElement, most: number): void {
    list.querySelector('.none')?.remove();
    list.prepend(item);
    while (list.childElementCount > most) list.lastElementChild?.remove();
  }

  #showNone(list: HTMLElement, text: string): void {
    list.append(make('li', { className: 'none', textContent: text }));
  }
}

function isFactName(name: string): name is FactName {
  return Object.hasOwn(NO_FACTS, name);
}

function stateText(sync: Sync): string {
  const { unsaved, localOnly } = sync;
  return [
    phaseText(sync),
    unsaved > 0 ? `${unsaved} unsaved` : '',
    localOnly > 0 ? `${localOnly} local-only` : '',
  ]
    .filter(Boolean)
    .join(' · ');
}

function setMood(element: HTMLElement, mood: Mood): void {
  element.classList.add('dot');
  element.classList.toggle('good', mood === 'good');
  element.classList.toggle('bad', mood === 'bad');
}

function countText(count: number, one: string, many = `${one}s`): string {
  return count === 0 ? 'none' : `${count} ${count === 1 ? one : many}`;
}

function timeText(at: Date): string {
  return at.toLocaleTimeString(undefined, { hour12: false });
}

function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  properties: Partial<HTMLElementTagNameMap[Tag]> = {},
  children: readonly HTMLElement[] = [],
): HTMLElementTagNameMap[Tag] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
