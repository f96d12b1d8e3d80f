/** A connection that said hello. */
export interface ClientState {
  readonly type: 'client';
  readonly clientId: string;
  readonly generation: number;
  /** The number from the hello: the room expects no push with a lower one (`ONCE-2`). */
  readonly nextPush: number;
  /**
   * `live`: it gets commits, and the room takes its pushes. Otherwise its pushes are dropped until the next hello: `loading`
   * was told to load the content (`JOIN-3`), `stopped` that it has lost its place (`ONCE-3`).
   */
  readonly liveness: 'live' | 'loading' | 'stopped';
}

/** The state of a connection. Survives hibernation as its attachment. */
export type PeerState =
  /** It has not said hello: it speaks TinyBase's own messages, or the app's (`STOCK-1`). */
  | { readonly type: 'stock' }
  | ClientState
  /** The room has closed it: nothing is sent to it, and nothing that it sends counts. */
  | { readonly type: 'gone' };

export function generationOf(state: PeerState): number | undefined {
  return state.type === 'client' ? state.generation : undefined;
}

export function isLive(state: PeerState): boolean {
  return state.type === 'client' && state.liveness === 'live';
}

/** Encodes a state as an attachment. The keys are short, because hosts keep few bytes. `standing` is the liveness. */
export function stateToAttachment(state: PeerState): unknown {
  switch (state.type) {
    case 'stock':
      return null;
    case 'gone':
      return { gone: true };
    case 'client':
      return {
        client: state.clientId,
        generation: state.generation,
        next: state.nextPush,
        standing: state.liveness,
      };
  }
}

/** An unknown attachment counts as absent: the client says hello again. */
export function attachmentToState(attachment: unknown): PeerState {
  if (typeof attachment !== 'object' || attachment === null) return { type: 'stock' };
  if ('gone' in attachment) return { type: 'gone' };
  if (
    'client' in attachment &&
    typeof attachment.client === 'string' &&
    'generation' in attachment &&
    typeof attachment.generation === 'number' &&
    'next' in attachment &&
    typeof attachment.next === 'number' &&
    'standing' in attachment &&
    (attachment.standing === 'live' ||
      attachment.standing === 'loading' ||
      attachment.standing === 'stopped')
  ) {
    const { client: clientId, generation, next: nextPush, standing: liveness } = attachment;
    return { type: 'client', clientId, generation, nextPush, liveness };
  }
  return { type: 'stock' };
}
