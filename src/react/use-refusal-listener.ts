import { useEffect } from 'react';
import type { Id } from 'tinybase';

import type { Refusal } from '../client/index.ts';
import { assertListener, assertPersister } from './parameters.ts';
import { useLatest } from './use-latest.ts';

/** The part of a persister that {@link useRefusalListener} uses. */
export interface PersisterWithRefusals {
  addRefusalListener(listener: (persister: unknown, refusals: readonly Refusal[]) => void): Id;
  delListener(listenerId: Id): unknown;
}

/** Calls a listener with edits that were refused, as the persister's `addRefusalListener` does. */
export function useRefusalListener(
  persister: PersisterWithRefusals | undefined,
  listener: (refusals: readonly Refusal[]) => void,
): void {
  assertPersister('useRefusalListener', persister, 'addRefusalListener');
  assertListener('useRefusalListener', listener);
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
