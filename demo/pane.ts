import { createDevtools } from '../src/devtools/index.ts';
import { createBoard } from './board.ts';
import type { Client } from './client.ts';
import { listCommits } from './commit-list.ts';
import { copyTemplate, findPart } from './find-element.ts';
import { showPeople } from './people.ts';
import { colour, initialsOf } from './person.ts';
import { showRefusals } from './refusal-line.ts';
import { showStatus } from './status-strip.ts';

/** Creates one side of the page: the board of one client, and everything that this client knows. */
export function createPane(client: Client, position: number): HTMLElement {
  const { person, undo, events, persister } = client;
  const pane = copyTemplate('pane');
  const avatar = findPart(pane, 'avatar', HTMLElement);
  const undoButton = findPart(pane, 'undo', HTMLButtonElement);
  const redoButton = findPart(pane, 'redo', HTMLButtonElement);
  const news = findPart(pane, 'news', HTMLElement);

  pane.ariaLabel = person.name;
  avatar.textContent = initialsOf(person.name);
  findPart(pane, 'name', HTMLElement).textContent = person.name;
  colour(pane, person.name);

  const board = createBoard(client, pane);
  showPeople(client, pane);
  showStatus(client, pane);
  showRefusals(client, pane);
  listCommits(client, pane);
  createDevtools(persister, {
    name: person.name,
    corner: position === 0 ? 'bottom-left' : 'bottom-right',
    parent: findPart(pane, 'devtools', HTMLElement),
  });

  // A phone has no room for a list that is always open.
  findPart(pane, 'commits-shown', HTMLDetailsElement).open = innerWidth > 960;

  const goBackward = (): void => {
    board.flush();
    const [backward] = undo.getCheckpointIds();
    undo.goBackward();
    news.textContent = backward.length === 0 ? 'Nothing to undo.' : 'Undone.';
  };
  const goForward = (): void => {
    const [, , forward] = undo.getCheckpointIds();
    undo.goForward();
    news.textContent = forward.length === 0 ? 'Nothing to redo.' : 'Redone.';
  };
  findPart(pane, 'add', HTMLButtonElement).addEventListener('click', () => board.add());
  findPart(pane, 'wave', HTMLButtonElement).addEventListener('click', () => events.send.wave());
  undoButton.addEventListener('click', goBackward);
  redoButton.addEventListener('click', goForward);
  pane.addEventListener('keydown', (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'z') return;
    event.preventDefault();
    if (event.shiftKey) goForward();
    else goBackward();
  });
  const showSteps = (): void => {
    const [backward, , forward] = undo.getCheckpointIds();
    // A button that is disabled would lose the focus.
    undoButton.ariaDisabled = String(backward.length === 0);
    redoButton.ariaDisabled = String(forward.length === 0);
  };
  undo.addCheckpointIdsListener(showSteps);
  showSteps();
  return pane;
}
