import type { Sync } from '../src/client/index.ts';
import type { Client } from './client.ts';
import { findPart } from './find-element.ts';
import { byteText, bytesOf } from './wire.ts';

/** A phase that is shorter is not told. */
const TELL_MILLISECONDS = 500;

/** Shows the state of a client: the phase, unsaved edits, the version, and what the last catch-up and edit cost. */
export function showStatus({ persister, store, socket, network }: Client, pane: HTMLElement): void {
  const state = findPart(pane, 'state', HTMLElement);
  const news = findPart(pane, 'news', HTMLElement);
  const problem = findPart(pane, 'problem', HTMLElement);
  const version = findPart(pane, 'version', HTMLElement);
  const catchUp = findPart(pane, 'catch-up', HTMLElement);
  const roundTrip = findPart(pane, 'round-trip', HTMLElement);
  const networkSwitch = findPart(pane, 'network', HTMLButtonElement);

  let hasLoaded = false;
  let lastPhase = '';
  let telling: ReturnType<typeof setTimeout> | undefined;

  const show = (): void => {
    const sync = persister.getSync();
    const phase = network.isCut ? 'Network cut' : phaseText(sync);
    const unsaved = sync.unsaved === 0 ? '' : `${sync.unsaved} unsaved`;
    const isLive = !network.isCut && sync.phase === 'live';
    pane.dataset['state'] = network.isCut ? 'cut' : isLive ? 'live' : 'waiting';
    state.textContent =
      isLive && unsaved !== '' ? unsaved : [phase, unsaved].filter(Boolean).join(' · ');
    problem.textContent = sync.error?.message ?? '';
    problem.hidden = network.isCut || sync.error === undefined;
    networkSwitch.ariaChecked = String(!network.isCut);
    // Screen readers tell phases that last. To tell each edit would be too much.
    if (phase === lastPhase) return;
    lastPhase = phase;
    clearTimeout(telling);
    telling = setTimeout(() => {
      if (news.dataset['phase'] === phase) return;
      news.dataset['phase'] = phase;
      news.textContent = phase;
    }, TELL_MILLISECONDS);
  };

  networkSwitch.addEventListener('click', () => {
    if (network.isCut) network.heal();
    else network.cut();
  });
  network.addListener(show);
  persister.addSyncListener((_persister, { phase }) => {
    hasLoaded ||= phase === 'loading';
    show();
  });
  socket.addNewsListener((wireNews) => {
    switch (wireNews.type) {
      case 'round-trip':
        roundTrip.textContent = `${Math.max(1, Math.round(wireNews.milliseconds))} ms`;
        break;
      case 'catch-up': {
        const content = byteText(bytesOf(JSON.stringify(store.getContent())));
        catchUp.textContent = hasLoaded
          ? `all ${content}`
          : `${byteText(wireNews.bytes)} of ${content}`;
        hasLoaded = false;
        version.textContent = String(wireNews.version);
        break;
      }
      case 'commit':
        version.textContent = String(wireNews.version);
        break;
    }
  });
  show();
}

function phaseText({ phase, code }: Sync): string {
  switch (phase) {
    case 'live':
      return 'Synced';
    case 'reduced':
      return 'Connected to TinyBase’s own server';
    case 'empty':
      return 'Connected to an empty room';
    case 'stopped':
      return `Stopped (${code ?? 'unknown'}): reload the page`;
    case 'idle':
      return 'Starting…';
    case 'catching-up':
      return 'Catching up…';
    case 'loading':
    case 'connecting':
      return 'Connecting…';
  }
}
