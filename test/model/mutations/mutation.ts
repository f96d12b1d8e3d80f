import {
  decodeClientMessage,
  decodeRoomMessage,
  encodeClientMessage,
  encodeRoomMessage,
} from '../../../src/protocol/codec.ts';
import type { RoomMessage, SentMessage } from '../../../src/protocol/messages.ts';
import type { Mutant } from '../mutant.ts';
import type { Patches } from '../patches.ts';
import type { Traits } from '../traits.ts';

/** A rule, and what is left of the system without it. */
export interface Mutation {
  /** Begins with the ids of the rules that do not hold. */
  readonly title: string;
  /** Makes the doubles, anew for each history. */
  readonly make?: () => Mutant;
  /** Replaces methods, for as long as the mutation is tried. */
  readonly patch?: (patches: Patches) => void;
}

/** Nothing is special about any Store, and there is one prefix: what else a mutation needs it says itself. */
export const PLAIN: Partial<Traits> = { prefix: '' };

/** Frames get lost, and little else is in the way of seeing what comes of it. */
export const LEAKY: Partial<Traits> = {
  ...PLAIN,
  isLeaky: true,
  networkWeight: 0.7,
  hookStyle: 'none',
};

/** Rewrites what a client sends or the room gets. */
export function rewriteClientFrame(
  frame: string,
  rewrite: (message: SentMessage) => SentMessage | undefined,
): readonly string[] {
  const message = decodeClientMessage('', frame);
  if (message === undefined || message.type === 'foreign-hello') return [frame];
  const rewritten = rewrite(message);
  return rewritten === undefined ? [] : [encodeClientMessage('', rewritten)];
}

/** Rewrites what the room sends or a client gets. */
export function rewriteRoomFrame(
  frame: string,
  rewrite: (message: RoomMessage) => RoomMessage | undefined,
): readonly string[] {
  const message = decodeRoomMessage('', frame);
  if (message === undefined) return [frame];
  const rewritten = rewrite(message);
  return rewritten === undefined ? [] : [encodeRoomMessage('', rewritten)];
}
