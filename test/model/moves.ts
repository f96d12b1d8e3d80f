import type { Replica } from '../../src/client/replica/replica.ts';

/** Calls back whenever the client gives up the room that it was in. To be called with each replica before anything happens to it. */
export function watchMoves(replica: Replica, onMoved: () => void): void {
  const abandon = replica.abandon.bind(replica);
  Object.assign(replica, {
    abandon: (...[reason]: Parameters<Replica['abandon']>) => {
      const refusals = abandon(reason);
      if (reason === 'another-room') onMoved();
      return refusals;
    },
  });
}
