/** A connection that said hello. */
export interface ClientState {
  readonly type: 'client';
  readonly clientId: string;
  readonly generation: number;
  /** The number from the hello: the room expects no push with a lower one (`ONCE-2`). */
  readonly nextPush: number;
  /**
   * `live`: it gets commits, and the room takes its pushes. Otherwise the room drops its pushes until its next hello: if it was
   * told to load the content (`loading`, `JOIN-3`), or to say hello (`stopped`, `ONCE-3`).
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

/** Returns the generation of a client; undefined for any other connection. */
export function generationOf(state: PeerState): number | undefined {
  return state.type === 'client' ? state.generation : undefined;
}

/** Returns true for a client that gets every commit. */
export function isLive(state: PeerState): boolean {
  return state.type === 'client' && state.liveness === 'live';
}

/** Encodes a state as an attachment. The keys are short, because hosts keep few bytes. */
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
        liveness: state.liveness,
      };
  }
}

/** Decodes {@link stateToAttachment}. An unknown attachment counts as absent: the client says hello again. */
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
    'liveness' in attachment &&
    (attachment.liveness === 'live' ||
      attachment.liveness === 'loading' ||
      attachment.liveness === 'stopped')
  ) {
    const { client: clientId, generation, next: nextPush, liveness } = attachment;
    return { type: 'client', clientId, generation, nextPush, liveness };
  }
  return { type: 'stock' };
}
