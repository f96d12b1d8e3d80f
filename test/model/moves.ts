import type { Changes } from '../../src/protocol/changes.ts';
import type { Replica } from '../../src/client/replica/replica.ts';

/**
 * Calls back whenever the client gives up the room that it was in, or leaves its edits to another page (`isTaken`), with the pushes
 * that it gives up. To be called with each replica before anything happens to it.
 */
export function watchMoves(
  replica: Replica,
  isTaken: () => boolean,
  onMoved: (pushes: readonly Changes[]) => void,
): void {
  const abandon = replica.abandon.bind(replica);
  Object.assign(replica, {
    abandon: (...[reason]: Parameters<Replica['abandon']>) => {
      const pushes = replica.pending.map(({ changes }) => changes);
      const refusals = abandon(reason);
      if (reason === 'another-room' || isTaken()) onMoved(pushes);
      return refusals;
    },
  });
}
