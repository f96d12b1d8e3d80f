import type { PartyKitPersister } from 'tinybase/persisters/persister-partykit-client';

/** What a persister may tell of the edits that its room has not confirmed yet. */
interface SyncReport {
  readonly getSync?: () => { readonly unconfirmedPushes: number };
}

/** How often the line is brought up to date: often enough to feel immediate. */
const REFRESH_INTERVAL_MILLISECONDS = 100;

const connectionState = (socket: {
  readonly readyState: number;
}): 'connected' | 'connecting' | 'cut' => {
  switch (socket.readyState) {
    case WebSocket.OPEN:
      return 'connected';
    case WebSocket.CONNECTING:
      return 'connecting';
    default:
      return 'cut';
  }
};

const CONNECTION_SENTENCES = {
  connected: 'Connected',
  connecting: 'Connecting…',
  cut: 'Network cut',
};

const unsavedSentence = (persister: PartyKitPersister & SyncReport): string => {
  const unsavedCount = persister.getSync?.().unconfirmedPushes;
  switch (unsavedCount) {
    case undefined:
      return '';
    case 0:
      return ' · all edits saved';
    case 1:
      return ' · 1 unsaved edit';
    default:
      return ` · ${unsavedCount} unsaved edits`;
  }
};

/**
 * Shows whether the page is connected and how many of its edits are not saved yet, and makes a
 * button cut the connection and open it again.
 */
export const showStatus = (
  persister: PartyKitPersister & SyncReport,
  lineElement: HTMLElement,
  networkButton: HTMLButtonElement,
): void => {
  const socket = persister.getConnection();
  let isCut = false;

  const show = (): void => {
    const state = isCut ? 'cut' : connectionState(socket);
    lineElement.dataset['state'] = state;
    const sentence = CONNECTION_SENTENCES[state] + unsavedSentence(persister);
    // Writing the same sentence again would make a screen reader say it again.
    if (lineElement.textContent !== sentence) {
      lineElement.textContent = sentence;
    }
    networkButton.textContent = isCut ? 'Reconnect' : 'Cut the network';
  };

  networkButton.addEventListener('click', () => {
    isCut = !isCut;
    if (isCut) {
      socket.close();
    } else {
      socket.reconnect();
    }
    show();
  });
  setInterval(show, REFRESH_INTERVAL_MILLISECONDS);
  show();
};
