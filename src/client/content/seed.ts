import { findUnsendableLeaves, withoutLeaves } from '../../protocol/unsendable-leaves.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import type { SeedCorrection } from '../../protocol/messages.ts';
import {
  refusalsOf,
  refusalsOfCorrection,
  type Refusal,
  type RefusalReason,
} from '../replica/refusal.ts';
import type { Replica } from '../replica/replica.ts';
import { withdrawalOf } from '../session/session-steps.ts';

/** The app's initial content for a room that has none. A function is called when the content is needed. */
export type InitialContent = LeafMap<Leaf> | (() => LeafMap<Leaf> | undefined);

/** The initial content that this client gives to a room without a Store (SEED-2, SEED-3). */
export interface Seed {
  /** Takes the app's initial content, and keeps it until the session ends, because a room may lose its Store. */
  suggest(content: InitialContent | undefined): void;
  /** Shows the initial content, if neither it nor a room was shown before. False: the Store is busy. */
  show(): boolean;
  /** Stops showing the initial content, until it is suggested again. */
  drop(): void;
  /** Returns the content to give: the Store's or, if the Store has shown a room, the initial content. Undefined: the Store is busy. */
  read(): LeafMap<Leaf> | undefined;
  /** Takes the correction of the room, which refused or altered the given content (SEED-4). Returns true if it refused all. */
  corrected(given: LeafMap<Leaf>, correction: SeedCorrection): boolean;
  /** The given content did not arrive, or the room does not take it. */
  failed(error: unknown): void;
  /** Makes what the Store shows of the seed local-only, unless the user may only read. Reports what the room has not refused (SEED-2, SEED-8). False: the Store is busy. */
  giveUp(): boolean;
  /** Reports refusals, each once. */
  tellRefusals(): void;
}

/** Creates a seed without initial content. */
export function createSeed(
  replica: Replica,
  onRefused: (refusals: readonly Refusal[]) => void,
): Seed {
  let initial: InitialContent | undefined;
  let toShow: InitialContent | undefined;
  let refused: Refusal[] = [];
  /** The reason to report if no room takes the given content; undefined if the room has told it. */
  let why: RefusalReason | undefined = 'undelivered';
  const refuse = (leaves: LeafMap<Leaf>, reason: RefusalReason): void => {
    replica.seedRefused(leaves);
    refused = [...refused, ...refusalsOf({ deletedRows: new Map(), leaves }, reason)];
  };
  // Leaves out the leaves that no message may carry, and reports them (`CHANGES-4`).
  const sendable = (content: LeafMap<Leaf> | undefined): LeafMap<Leaf> | undefined => {
    const unsendable = content && findUnsendableLeaves(content);
    if (content === undefined || unsendable === undefined) return content;
    refuse(unsendable, 'malformed');
    return withoutLeaves(content, unsendable);
  };
  const show = (): boolean => {
    if (replica.claim.hasShownRoom) return true;
    const content = (toShow = sendable(contentOf(toShow)));
    const isDone = content === undefined || replica.showSeed(content);
    if (isDone) toShow = undefined;
    return isDone;
  };
  return {
    suggest: (content) => {
      toShow = content ?? toShow;
      initial = content ?? initial;
    },
    show,
    drop: () => {
      toShow = undefined;
    },
    // An earlier session may have shown another room (SEED-2).
    read: () =>
      replica.claim.hasShownRoom
        ? (sendable(contentOf(initial)) ?? new LeafMap())
        : sendable(replica.readBase()),
    corrected: (given, { correction, reason }) => {
      const { leaves } = correction;
      replica.seedRefused(leaves);
      const asked = { deletedRows: new Map<string, never>(), leaves: given };
      refused = [...refused, ...refusalsOfCorrection(asked, correction, reason ?? 'unknown')];
      const isWhole = leaves.count() === given.count();
      if (isWhole) why = undefined;
      return isWhole;
    },
    failed: (error) => {
      why = withdrawalOf(error) ?? 'undelivered';
    },
    giveUp: () => {
      // Who may only read keeps nothing of it, as nothing of a push (GATE-8): the content that follows replaces it.
      if (!show()) return false;
      const lost = sendable(why === 'access' ? replica.readBase() : replica.localiseBase());
      if (lost === undefined) return false;
      if (why !== undefined) refuse(lost, why);
      why = 'undelivered';
      return true;
    },
    tellRefusals: () => {
      const refusals = refused;
      refused = [];
      onRefused(refusals);
    },
  };
}

function contentOf(initial: InitialContent | undefined): LeafMap<Leaf> | undefined {
  return typeof initial === 'function' ? initial() : initial;
}
