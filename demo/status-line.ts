import type { PartyKitPersister, Sync } from '../src/client/index.ts';

const CUT = 'Network cut';

/**
 * Shows the state of the connection to the room and the error that keeps it from being live. Makes a button cut the
 * connection and open it again.
 */
export function showStatus(
  persister: PartyKitPersister,
  lineElement: HTMLElement,
  networkButton: HTMLButtonElement,
  problemElement: HTMLElement,
): void {
  const socket = persister.getConnection();
  let isCut = false;

  const show = (): void => {
    const sync = persister.getSync();
    lineElement.dataset['state'] = isCut
      ? 'cut'
      : sync.phase === 'live'
        ? 'connected'
        : 'connecting';
    lineElement.textContent = (isCut ? CUT : phaseSentence(sync)) + unsavedSentence(sync);
    problemElement.textContent = sync.error?.message ?? '';
    problemElement.hidden = isCut || sync.error === undefined;
    networkButton.textContent = isCut ? 'Reconnect' : 'Cut the network';
  };

  networkButton.addEventListener('click', () => {
    isCut = !isCut;
    if (isCut) socket.close();
    else socket.reconnect();
    show();
  });
  persister.addSyncListener(show);
  show();
}

function phaseSentence({ phase, code }: Sync): string {
  switch (phase) {
    case 'live':
      return 'Connected';
    case 'reduced':
      return 'Connected to a room of the stock server';
    case 'empty':
      return 'Connected to an empty room';
    case 'stopped':
      return `Stopped (${code ?? 'unknown'}): reload the page`;
    case 'idle':
      return 'Not started';
    case 'loading':
    case 'connecting':
    case 'catching-up':
      return 'Connecting…';
  }
}

function unsavedSentence({ unsaved }: Sync): string {
  if (unsaved === 0) return ' · all edits saved';
  return unsaved === 1 ? ' · 1 unsaved edit' : ` · ${unsaved} unsaved edits`;
}
