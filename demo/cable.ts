import type { Client } from './client.ts';
import { findPart } from './find-element.ts';
import { colour } from './person.ts';

/** Draws the cables between the sides and the room. Each commit is seen to travel, and a cut is seen. */
export function drawCables(clients: readonly Client[]): void {
  const hub = findPart(document, 'hub-version', HTMLElement);
  let newest = 0;
  clients.forEach(({ socket, network, persister, person }, position) => {
    const cable = findPart(document, position === 0 ? 'cable-left' : 'cable-right', HTMLElement);
    colour(cable, person.name);
    const show = (): void => {
      const isWhole = !network.isCut && persister.getSync().phase === 'live';
      cable.dataset['state'] = isWhole ? 'whole' : 'broken';
    };
    network.addListener(show);
    persister.addSyncListener(show);
    show();
    socket.addNewsListener((news) => {
      if (news.type === 'round-trip') return;
      newest = Math.max(newest, news.version);
      hub.textContent = `v${newest}`;
      const pulse = document.createElement('span');
      const isOutward = news.type === 'commit' && news.isOwn;
      pulse.className = isOutward ? 'pulse outward' : 'pulse';
      pulse.addEventListener('animationend', () => pulse.remove());
      if (!matchMedia('(prefers-reduced-motion: reduce)').matches) cable.append(pulse);
    });
  });
}
