import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { Cursor } from '../../protocol/messages.ts';
import type { PendingPush } from '../replica/replica.ts';

/** Decides which pushes may be sent and confirmed to the room: those that survive a restart (KEEP-2, KEEP-3). */
export interface Outbox {
  /** Returns the highest push number that a restart will not need again. */
  confirmed(): number;
  isGenerationDurable(generation: number): boolean;
  isPushDurable(number: number): boolean;
  /** The room has processed these pushes, and the base includes the result. */
  answered(pushes: readonly PendingPush[]): void;
  /** Makes the state durable. The write takes the state at its beginning. */
  save(): void;
  /** The base has changed. */
  saveBaseLater(): void;
  /** Starts again, for a new client id. */
  clear(): void;
  /** Ends all writing. */
  stop(): void;
}

/** The session that an outbox works for. */
export interface OutboxOwner {
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  /** Returns the state that has to be made durable. */
  readonly state: () => {
    readonly clientId: string;
    readonly generation: number;
    readonly lastNumber: number;
    readonly pending: readonly PendingPush[];
  };
  /** Returns the current base; undefined if there is none worth keeping; `'busy'` if it cannot be read now. */
  readonly base: () =>
    | { readonly cursor: Cursor; readonly content: LeafMap<Leaf> }
    | 'busy'
    | undefined;
  /** More is durable than before. */
  readonly onDurable: () => void;
  readonly onError: (error: unknown) => void;
}

/** Creates the outbox of a client that persists nothing: everything counts as durable at once. */
export function createVolatileOutbox(): Outbox {
  let confirmed = 0;
  return {
    confirmed: () => confirmed,
    isGenerationDurable: () => true,
    isPushDurable: () => true,
    answered: (pushes) => {
      confirmed = pushes.at(-1)?.number ?? confirmed;
    },
    save: nothing,
    saveBaseLater: nothing,
    clear: () => {
      confirmed = 0;
    },
    stop: nothing,
  };
}

function nothing(): void {}
