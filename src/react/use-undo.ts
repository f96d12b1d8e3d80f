import { useRedoInformation, useUndoInformation } from 'tinybase/ui-react';

import { createUndo, type Undo, type UndoOptions } from '../client/features/undo/index.ts';
import type { PartyKitPersister } from '../client/index.ts';
import { assertPersister } from './parameters.ts';

/** The undo and redo of a persister, as a component shows them. */
export interface UndoState<Checkpoints = Undo> {
  readonly canUndo: boolean;
  readonly canRedo: boolean;
  /** The label of the step that an undo takes back; empty if it has none. */
  readonly undoLabel: string;
  readonly redoLabel: string;
  /** Takes back the last step of this user, if there is one. */
  readonly undo: () => void;
  readonly redo: () => void;
  /** The object that `createUndo` returns: for labels, merged steps and listeners. Undefined while there is no persister. */
  readonly checkpoints: Checkpoints | undefined;
}

/**
 * Returns the undo and redo of a persister, and renders again when they change. All components with the same persister share
 * them, and the first one gives the options.
 *
 * @example
 * ```tsx
 * import type { ReactNode } from 'react';
 * import type { PartyKitPersister } from 'tinybase-partykit/client';
 * import { useUndo } from 'tinybase-partykit/react';
 *
 * export function Undo({ persister }: { readonly persister: PartyKitPersister }): ReactNode {
 *   const { canUndo, undo } = useUndo(persister);
 *   return <button disabled={!canUndo} onClick={undo}>Undo</button>;
 * }
 * ```
 */
export function useUndo(
  persister: PartyKitPersister | undefined,
  options?: UndoOptions,
): UndoState {
  assertPersister('useUndo', persister, 'getSync');
  const checkpoints = persister && createUndo(persister, options);
  const [canUndo, undo, , undoLabel] = useUndoInformation(checkpoints);
  const [canRedo, redo, , redoLabel] = useRedoInformation(checkpoints);
  // Without a persister, the hooks of ui-react look for other Checkpoints.
  if (checkpoints === undefined) return NONE;
  return { canUndo, canRedo, undoLabel, redoLabel, undo, redo, checkpoints };
}

const NONE: UndoState = Object.freeze({
  canUndo: false,
  canRedo: false,
  undoLabel: '',
  redoLabel: '',
  undo: () => undefined,
  redo: () => undefined,
  checkpoints: undefined,
});
