import type { Checkpoints } from 'tinybase';
import type { Checkpoints as CheckpointsWithSchemas, OptionalSchemas } from 'tinybase/with-schemas';

/** The options of `createUndo`. */
export interface UndoOptions {
  /**
   * The time within which a transaction joins the step before it, if it has the same label. 0 by default: each transaction is a
   * step of its own. With `Infinity`, only `addCheckpoint`, another label, an undo or a redo end a step.
   */
  readonly mergeMilliseconds?: number;
  /** The most steps, as of TinyBase's `setSize`. 100 by default. */
  readonly size?: number;
  /** Roughly the most characters that all steps keep. 10,000,000 by default. */
  readonly characters?: number;
  /** Gets the errors of listeners. `console.warn` by default. */
  // oxlint-disable-next-line typescript/no-explicit-any -- As in TinyBase's own persisters, apps narrow it.
  readonly onIgnoredError?: (error: any) => void;
}

/** The methods of an Undo that TinyBase's Checkpoints do not have. */
export interface UndoMethods {
  /**
   * Runs actions as one transaction of the Store, with a label for its step. With `isMerged`, the transaction joins the step
   * before it if that has the same label, however long ago it was. `addCheckpoint` ends that.
   */
  transaction<Return>(actions: () => Return, label?: string, isMerged?: boolean): Return;
}

/**
 * Takes back the edits of one client, and makes them again. It is a `Checkpoints` of TinyBase, so the hooks and components of
 * `ui-react` accept it: `goBackward` is undo, `goForward` is redo.
 *
 * Differences: it has a checkpoint after each transaction of this Store's user, without a call of `addCheckpoint`; it leaves
 * what others do alone.
 *
 * Source: https://tinybase.org/api/checkpoints/interfaces/checkpoints/checkpoints/
 */
export interface Undo extends Checkpoints, UndoMethods {}

/** An {@link Undo} for a Store with schemas. */
export interface UndoWithSchemas<Schemas extends OptionalSchemas>
  extends CheckpointsWithSchemas<Schemas>, UndoMethods {}
