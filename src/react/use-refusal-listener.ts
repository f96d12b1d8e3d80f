import { useEffect } from 'react';

import type { PartyKitPersister, Refusal } from '../client/index.ts';
import { useLatest } from './use-latest.ts';

/** Calls a listener with edits that were refused, as the persister's `addRefusalListener` does. */
export function useRefusalListener(
  persister: Pick<PartyKitPersister, 'addRefusalListener' | 'delListener'> | undefined,
  listener: (refusals: readonly Refusal[]) => void,
): void {
  const latest = useLatest(listener);
  useEffect(() => {
    const listenerId = persister?.addRefusalListener((_persister, refusals) =>
      latest.current(refusals),
    );
    return () => {
      if (listenerId !== undefined) persister?.delListener(listenerId);
    };
  }, [persister, latest]);
}
