import type { Store } from 'tinybase';

import type { Changes } from '../../protocol/changes.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import {
  PROTOCOL_VERSION,
  type ClientMessage,
  type Hello,
  type Push,
  type SeedCorrection,
} from '../../protocol/messages.ts';

import type { Committer } from '../history/committer.ts';
import { changesSize } from '../writes/content-size.ts';
import { correctionOf, stockAnswerTo, type Correction } from '../writes/correction.ts';
import type { Later } from './later.ts';
import type { Ledger } from '../history/ledger.ts';
import { lastPushOf, type Dispatcher } from './dispatcher.ts';
import type { ClientState, Peer, Peers } from './peers.ts';
import type { StoreWriter, WriteOutcome } from '../writes/store-writer.ts';

/** What a {@link MessageHandler} needs of its room. */
export interface MessageHandlerOptions<Origin, RequestOrigin> {
  readonly store: Store;
  readonly peers: Peers<Origin>;
  readonly dispatcher: Dispatcher<Origin>;
  readonly committer: Committer<Origin>;
  readonly writer: StoreWriter<Origin | RequestOrigin>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** False once a write failed: nothing more can come of that ledger. */
  readonly isCurrent: (ledger: Ledger) => boolean;
}

/** What became of content that was to be a room's first. */
export type SeedOutcome =
  /** It is the room's first, as far as it was allowed; if none of it was, the room still has no Store. */
  | { readonly type: 'created'; readonly refused: SeedCorrection | undefined }
  /** The room has a Store already. */
  | { readonly type: 'exists' };

/** A catch-up up to this size is never too large, in characters. */
const SMALL_CATCH_UP = 4096;

const LOST_PLACE = 'This connection has lost its place: say hello.';
const NO_LEAVES = new LeafMap<Leaf | undefined>();

/** Deals with one message at a time, as docs/protocol.md says. The queue is the room's. */
export class MessageHandler<Origin, RequestOrigin> {
  readonly #options: MessageHandlerOptions<Origin, RequestOrigin>;

  constructor(options: MessageHandlerOptions<Origin, RequestOrigin>) {
    this.#options = options;
  }

  /** Works within the call unless hooks or an open transaction have to be waited for. */
  handle(ledger: Ledger, peer: Peer<Origin>, message: ClientMessage): Later<void> {
    const { dispatcher } = this.#options;
    const { state } = peer;
    if (peer.isGone || state.type === 'gone') return undefined;
    if (message.type === 'hello') return this.#hello(ledger, peer, message);
    if (message.type === 'foreign-hello') return this.#turnAway(ledger, peer, message.protocol);
    if (state.type === 'stock') {
      if (message.type === 'stock') return this.#stock(ledger, peer, message.changes);
      // It said hello once, and the app or the host has lost that: a stock peer has no such frames.
      return dispatcher.sendError(ledger, peer, 'stale', LOST_PLACE);
    }
    switch (message.type) {
      case 'push':
        return this.#push(ledger, peer, state, message);
      case 'ping':
      case 'check': {
        const lastPush = lastPushOf(ledger, state);
        return dispatcher.send(ledger, peer, { type: 'pong', version: ledger.version, lastPush });
      }
      case 'stock': {
        const text = 'A connection that said hello sends pushes, and no changes without a number.';
        return dispatcher.sendError(ledger, peer, 'malformed', text);
      }
    }
  }

  /** Makes content the room's first, if it has none yet (`SEED-1`). */
  seed(ledger: Ledger, content: LeafMap<Leaf>, origin: RequestOrigin): Later<SeedOutcome> {
    const { store, committer, writer, isCurrent } = this.#options;
    if (ledger.hasStore) return { type: 'exists' };
    const changes: Changes = { deletedRows: new Map(), leaves: content };
    const isStillWanted = (): boolean => isCurrent(ledger) && !ledger.hasStore;
    return writer.write(changes, { origin, isInitialSave: true, isStillWanted }, (outcome) => {
      if (!isStillWanted()) return { type: 'exists' };
      // Of a seed that was refused as a whole, nothing is left to begin with; of an empty one, nothing was refused.
      if (
        outcome.log !== undefined &&
        (!outcome.log.before.isEmpty || outcome.refusal === undefined)
      ) {
        committer.begin(ledger, false);
      }
      return {
        type: 'created',
        refused: seedCorrection(correctionOf(store, changes, NO_LEAVES), outcome),
      };
    });
  }

  #turnAway(ledger: Ledger, peer: Peer<Origin>, protocol: number): void {
    const text = `This room speaks version ${PROTOCOL_VERSION} of the protocol, and not ${protocol}.`;
    this.#options.dispatcher.sendError(ledger, peer, 'protocol', text);
    peer.setState({ type: 'gone' });
  }

  #hello(ledger: Ledger, peer: Peer<Origin>, hello: Hello): void {
    const { dispatcher, peers, now } = this.#options;
    const { clientId, generation, nextPush, ackedPush } = hello;
    const connections = [...peers.ofClient(clientId)];
    const known = connections.map(({ state }) => state.generation);
    if (generation <= Math.max(ledger.clients.generation(clientId), ...known)) return;
    for (const other of connections) {
      if (other.peer === peer) continue;
      const text = 'A newer connection of this client took over.';
      // Told, too: a browser may not see the code of the close, and a client that does not know comes back for ever.
      dispatcher.sendError(undefined, other.peer, 'replaced', text);
      dispatcher.close(other.peer, 'replaced', text);
    }
    ledger.clients.noteHello(clientId, generation, ackedPush, now());
    const missed = hello.cursor === undefined ? undefined : ledger.since(hello.cursor);
    const isWorthIt =
      missed !== undefined && changesSize(missed) <= Math.max(ledger.contentSize, SMALL_CATCH_UP);
    const welcome = { generation, lastPush: lastPushOf(ledger, { clientId, nextPush }) };
    const isLive = dispatcher.welcome(ledger, peer, welcome, isWorthIt ? missed : undefined);
    const standing = isLive ? 'live' : 'loading';
    peer.setState({ type: 'client', clientId, generation, nextPush, standing });
  }

  #push(ledger: Ledger, peer: Peer<Origin>, state: ClientState, push: Push): Later<void> {
    const { dispatcher, writer, isCurrent } = this.#options;
    const { number } = push;
    if (state.standing === 'stopped') return undefined;
    // A newer connection of the client was told how far its pushes have come (`JOIN-5`).
    if (state.generation < ledger.clients.generation(state.clientId)) return undefined;
    const expected = lastPushOf(ledger, state) + 1;
    if (state.standing === 'loading' || number > expected) {
      dispatcher.sendError(ledger, peer, 'stale', LOST_PLACE);
      if (state.standing === 'live') peer.setState({ ...state, standing: 'stopped' });
      return undefined;
    }
    if (number < expected) {
      return dispatcher.send(ledger, peer, {
        type: 'ack',
        number,
        version: ledger.version,
        isCommit: false,
        correction: undefined,
        reason: undefined,
      });
    }
    const { origin } = peer.connection;
    const isStillWanted = (): boolean => isCurrent(ledger) && !peer.isGone;
    return writer.write(
      push.changes,
      { origin, isInitialSave: false, isStillWanted },
      (outcome) => {
        if (isFinished(outcome, peer, isCurrent(ledger)))
          this.#finishPush(ledger, peer, state, push, outcome);
      },
    );
  }

  #finishPush(
    ledger: Ledger,
    peer: Peer<Origin>,
    state: ClientState,
    { number, changes }: Push,
    { log, refusal }: WriteOutcome,
  ): void {
    const { store, dispatcher, committer, now } = this.#options;
    const author = { clientId: state.clientId, push: number };
    ledger.clients.notePush(state.clientId, number, now());
    const committed =
      log === undefined
        ? 'nothing'
        : committer.commit(ledger, log, { author, peer, isServerSide: false });
    // In place of an ack, the first content was announced, with the number of this push.
    if (committed === 'first content') return;
    if (committed === 'nothing') ledger.note(author);
    const correction = correctionOf(store, changes, log?.before ?? NO_LEAVES);
    dispatcher.ack(ledger, peer, state, {
      type: 'ack',
      number,
      version: ledger.version,
      isCommit: committed === 'commit',
      correction: correction.changes,
      reason: refusal ?? (correction.isAltered ? 'schema' : undefined),
    });
  }

  #stock(ledger: Ledger, peer: Peer<Origin>, changes: Changes): Later<void> {
    const { store, dispatcher, committer, writer, isCurrent } = this.#options;
    if (!ledger.hasStore) return undefined;
    const { origin } = peer.connection;
    const isStillWanted = (): boolean => isCurrent(ledger) && !peer.isGone;
    return writer.write(changes, { origin, isInitialSave: false, isStillWanted }, (outcome) => {
      if (!isFinished(outcome, peer, isCurrent(ledger))) return;
      const { log } = outcome;
      if (log !== undefined)
        committer.commit(ledger, log, { author: undefined, peer, isServerSide: false });
      dispatcher.stock(ledger, peer, stockAnswerTo(store, changes, log?.changes));
    });
  }
}

/** False if nothing came of it. What is in the Store counts, also where a listener of the app has closed the socket since. */
function isFinished({ log }: WriteOutcome, peer: Peer<unknown>, isCurrent: boolean): boolean {
  return isCurrent && (log !== undefined || !peer.isGone);
}

/** What to tell whoever gave the content (`SEED-4`): nothing if all that was given is as it was given. */
function seedCorrection(
  { changes, isAltered }: Correction,
  { refusal }: WriteOutcome,
): SeedCorrection | undefined {
  if (changes === undefined || !isAltered) return undefined;
  return { correction: changes, reason: refusal ?? 'schema' };
}
