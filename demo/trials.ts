import { getUniqueId } from 'tinybase';
import { numberOf, textOf } from './cells.ts';
import { notesUrl, type Client } from './client.ts';
import { findPart } from './find-element.ts';
import type { Place } from './place.ts';
import { freePoint } from './point.ts';
import { byteText, bytesOf } from './wire.ts';

const CELL_IDS = ['text', 'x', 'y', 'isPinned', 'by', 'createdAt'];
const STEP_MILLISECONDS = 1_200;
/** Everybody knows it: it is in `partykit.json`. */
const BACKEND_TOKEN = 'everybody-knows-this';

/** Says what a trial is doing. */
type Say = (sentence: string) => void;

/** Makes the buttons beside "Try" work. They do what two people would do, and a caption tells what happens. */
export function offerTrials(place: Place, left: Client, right: Client): void {
  const offerOnline = (name: string, trial: (say: Say) => Promise<void>): void =>
    offer(name, async (say) => {
      if (isReached(left) && isReached(right)) await whileTold(left, right, say, () => trial(say));
      else say('The server does not answer. Start it, and try again when both sides are synced.');
    });
  offerOnline('cut', (say) => cutAndHeal(left, right, say));
  offerOnline('refused', (say) => moveThePinned(left, say));
  offerOnline('undo', (say) => undoOnesOwn(left, right, say));
  offerOnline('both', (say) => writeBoth(left, right, say));
  offerOnline('reload', (say) => reloadUnsent(left, say));
  offerOnline('backend', (say) => writeFromBackend(place, say));
  // A side that has stopped says so itself.
  if (left.network.isCut) tellKept(left).catch(() => undefined);
}

/** Shows the command that writes from a backend, and copies it. */
export function offerCommand(place: Place): void {
  const command = commandOf(place);
  const news = findPart(document, 'copied', HTMLElement);
  findPart(document, 'command', HTMLElement).textContent = command;
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(command);
      news.textContent = 'Copied. Paste it into a terminal.';
    } catch {
      // Browsers have a clipboard only for pages that came by https or from localhost.
      news.textContent = 'This browser does not let the page copy. Select the command instead.';
    }
  };
  findPart(document, 'copy', HTMLButtonElement).addEventListener('click', () => void copy());
}

/** Says that a side which was reloaded without a network has its edits, and later that the room has them, too. */
async function tellKept({ network, persister, person }: Client): Promise<void> {
  caption(`${person.name} is still cut, and has kept every edit. Switch the network on.`);
  await new Promise<void>((resolve) => network.addListener(resolve));
  await persister.whenConfirmed();
  if (!isRunning) caption(`${person.name} has a network again, and the room has every edit.`);
}

function caption(sentence: string): void {
  const element = findPart(document, 'caption', HTMLElement);
  element.textContent = sentence;
  element.classList.add('telling');
}

let isRunning = false;

function offer(name: string, trial: (say: Say) => Promise<void>): void {
  const button = findPart(document, `try-${name}`, HTMLButtonElement);
  const run = async (): Promise<void> => {
    if (isRunning) return;
    isRunning = true;
    button.ariaBusy = 'true';
    try {
      await trial(caption);
    } catch (error) {
      caption(`It did not work: ${error instanceof Error ? error.message : String(error)}`);
    }
    button.ariaBusy = 'false';
    isRunning = false;
  };
  button.addEventListener('click', () => void run());
}

/** Says so if a trial waits for a server that has gone. */
async function whileTold(
  left: Client,
  right: Client,
  say: Say,
  trial: () => Promise<void>,
): Promise<void> {
  const tell = (): void => {
    // A side that was cut for long has an error until it has caught up.
    const isCatchingUp = [left, right].some(
      ({ persister }) => persister.getSync().phase === 'catching-up',
    );
    if (!isCatchingUp && !(isReached(left) && isReached(right)))
      say('The server does not answer any more. This goes on when it is back.');
  };
  const listenerIds = [left, right].map(({ persister }) => persister.addSyncListener(tell));
  try {
    await trial();
  } finally {
    for (const [index, { persister }] of [left, right].entries())
      persister.delListener(listenerIds[index] ?? '');
  }
}

async function cutAndHeal(left: Client, right: Client, say: Say): Promise<void> {
  heal(left, right);
  const [first, second] = [freeNote(left, 0), freeNote(left, 1)];
  left.network.cut();
  say(`${left.person.name} has no network …`);
  await pause();
  jump(left, first);
  await pause();
  jump(right, second);
  say(
    `… and both edit. Those of ${left.person.name} wait: ${left.persister.getSync().unsaved} unsaved.`,
  );
  await pause();
  left.network.heal();
  await Promise.all([left.persister.whenConfirmed(), right.persister.whenConfirmed()]);
  await untilEqual(left, right);
  const content = byteText(bytesOf(JSON.stringify(left.store.getContent())));
  const catchUp = byteText(left.socket.catchUpBytes);
  say(`Both boards are equal. Catching up took ${catchUp}; the whole board has ${content}.`);
}

async function moveThePinned({ store, persister, network }: Client, say: Say): Promise<void> {
  const pinned = store.getRowIds('notes').find((id) => isPinned(store, id));
  if (pinned === undefined || network.isCut) {
    say(network.isCut ? 'Switch the network on first.' : 'No note is pinned. Pin one first.');
    return;
  }
  const { x } = store.getRow('notes', pinned);
  store.setCell('notes', pinned, 'x', numberOf(x) > 0.5 ? 0.1 : 0.9);
  await persister.whenConfirmed();
  say('The room refused it. The note went back, and its author was told why.');
}

async function undoOnesOwn(left: Client, right: Client, say: Say): Promise<void> {
  heal(left, right);
  const [first, second] = [freeNote(left, 0), freeNote(left, 1)];
  jump(left, first);
  say(`${left.person.name} moves one note …`);
  await pause();
  jump(right, second);
  say(`… then ${right.person.name} moves another …`);
  await pause();
  left.undo.goBackward();
  say(`… and ${left.person.name} undoes. Only that note goes back.`);
}

async function writeBoth(left: Client, right: Client, say: Say): Promise<void> {
  heal(left, right);
  const note = freeNote(left, 0);
  left.store.setCell('notes', note, 'text', `${left.person.name} was here`);
  right.store.setCell('notes', note, 'text', `${right.person.name} was here`);
  await Promise.all([left.persister.whenConfirmed(), right.persister.whenConfirmed()]);
  await untilEqual(left, right);
  say(
    `Both wrote the same note. The room got "${textOf(left.store.getCell('notes', note, 'text'))}" last.`,
  );
}

async function reloadUnsent({ network, store, person }: Client, say: Say): Promise<void> {
  if (!isSecureContext) {
    say('Browsers keep edits only for pages that come by https or from localhost.');
    return;
  }
  network.cut();
  store.setRow('notes', getUniqueId(), {
    text: 'Written without a network, before the page was reloaded.',
    ...freePoint(store),
    isPinned: false,
    by: person.name,
    createdAt: Date.now(),
  });
  say(`${person.name} is cut, and has an unsent note. The page is reloaded …`);
  await pause();
  location.reload();
}

async function writeFromBackend(place: Place, say: Say): Promise<void> {
  const response = await fetch(notesUrl(place), {
    method: 'POST',
    headers: { Authorization: `Bearer ${BACKEND_TOKEN}` },
    body: JSON.stringify({ text: 'Hello from the backend' }),
  });
  say(`The room answered: ${response.status}. ${await response.text()}`);
}

function commandOf(place: Place): string {
  return `curl -H 'Authorization: Bearer ${BACKEND_TOKEN}' \\
  -d '{"text": "Hello from the backend"}' \\
  ${notesUrl(place).replace('0.0.0.0', 'localhost')}`;
}

/** Gives both sides their network back, so that they hear of each other. */
function heal(...clients: readonly Client[]): void {
  for (const { network } of clients) if (network.isCut) network.heal();
}

/** Returns a note that is not pinned, and makes one if there are too few. */
function freeNote({ store, person }: Client, place: number): string {
  const found = store.getRowIds('notes').filter((id) => !isPinned(store, id))[place];
  if (found !== undefined) return found;
  const id = getUniqueId();
  store.setRow('notes', id, {
    text: 'A note',
    ...freePoint(store),
    isPinned: false,
    by: person.name,
    createdAt: Date.now(),
  });
  return id;
}

/** Returns false if the server did not answer. A side whose network is cut does not ask it. */
function isReached({ network, persister }: Client): boolean {
  return network.isCut || persister.getSync().error === undefined;
}

function isPinned(store: Client['store'], id: string): boolean {
  return store.getCell('notes', id, 'isPinned') === true;
}

/** Moves a note to where there is room. */
function jump({ store, undo }: Client, note: string): void {
  undo.addCheckpoint();
  undo.transaction(() => store.setPartialRow('notes', note, { ...freePoint(store) }), 'Jump');
}

/** Waits until both Stores are equal. */
async function untilEqual(left: Client, right: Client): Promise<void> {
  while (notesText(left) !== notesText(right))
    await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Returns all notes as a text. A Store does not keep rows and cells in an order. */
function notesText({ store }: Client): string {
  const cells = (id: string): string => JSON.stringify(store.getRow('notes', id), CELL_IDS);
  const rows = store.getRowIds('notes').sort();
  return JSON.stringify(rows.map((id) => [id, cells(id)]));
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, STEP_MILLISECONDS));
}
