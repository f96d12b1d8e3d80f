import type { Store } from 'tinybase';

import type { Changes } from '../../protocol/changes.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import type { RefusalReason } from '../../protocol/messages.ts';
import { holdsJust, readLeaf } from '../../protocol/store-access.ts';

import type { AskedOrigin, PushOrigin, SeedOrigin, StockOrigin } from '../room/change-origin.ts';
import type { Peer } from '../room/peer.ts';
import type { RoomParts } from '../room/room-parts.ts';
import { changesSize } from '../writes/content-size.ts';
import { correctionOf, correctionToNothing, stockAnswerTo } from '../writes/correction.ts';
import { withoutDeletedRows } from '../writes/without-deleted-rows.ts';
import type { SeedOutcome, WriteOutcome } from '../writes/write-target.ts';
import { READER_MESSAGE } from './push-intake.ts';
import type { RoomState } from './room-state.ts';

const NO_LEAVES = new LeafMap<Leaf | undefined>();

/** The end of a change that somebody asked for: commits what was applied of it, and answers its author. */
export class Settlement<Connection, Request> {
  readonly #parts: RoomParts<Connection, Request>;
  readonly #state: RoomState<Connection, Request>;

  constructor(parts: RoomParts<Connection, Request>, state: RoomState<Connection, Request>) {
    this.#parts = parts;
    this.#state = state;
  }

  /** Settles a change, right after it was applied or refused. Returns the outcome of initial content. */
  settle(
    asked: Changes,
    origin: AskedOrigin<Connection, Request>,
    outcome: WriteOutcome,
  ): SeedOutcome | undefined {
    switch (origin.type) {
      case 'push':
        return this.#settlePush(asked, origin, outcome);
      case 'stock':
        return this.#settleStock(asked, origin, outcome);
      case 'seed':
        return this.#settleSeed(asked, origin, outcome);
    }
  }

  #settlePush(
    asked: Changes,
    origin: PushOrigin<Connection>,
    { log, refusal }: WriteOutcome,
  ): undefined {
    const { observed, outgoing } = this.#parts;
    const { number, peer } = origin;
    const isNoted = this.#notePush(origin, refusal);
    const committed = log === undefined ? 'nothing' : this.#state.commit(log, origin);
    // Its author is told to load, and that message has the number of this push. So there is no ack.
    if (committed === 'initial content') return;
    // `prepareStore` or a schema may have put the same there before. Then the push changes nothing, but is the initial content.
    if (log !== undefined && !this.#state.hasStore && showsAny(observed.store, asked)) {
      this.#state.create(origin);
      return;
    }
    if (committed === 'nothing' && isNoted) this.#state.note(origin);
    const before = log?.before ?? NO_LEAVES;
    const correction = this.#state.hasStore
      ? correctionOf(observed.store, asked, before)
      : correctionToNothing(asked);
    // What was ignored has no reason: nobody has edited it.
    const regarded = withoutDeletedRows(observed.store, this.#state, asked, origin);
    const isAltered =
      regarded === asked
        ? correction.isAltered
        : correctionOf(observed.store, regarded, before).isAltered;
    this.#charge(peer, asked, correction.changes);
    // A stopped connection has missed commits: it hears of this in its next welcome.
    const client = peer.state;
    if (client.type !== 'client' || client.liveness === 'stopped') return;
    const isSent = outgoing.sendAck(this.#state, peer, {
      type: 'ack',
      number,
      version: this.#state.version,
      isCommit: committed === 'commit',
      correction: correction.changes,
      reason: refusal ?? (isAltered ? 'schema' : undefined),
      tag: committed === 'commit' ? this.#state.history.newTag : undefined,
    });
    if (isSent) return;
    if (isNoted) outgoing.sendReload(this.#state, peer, client);
    else {
      // After a reload, the client would send it again, and the answer would be too large again. Now it sends an empty push.
      peer.setState({ ...client, nextPush: number });
      outgoing.sendError(this.#state, peer, 'forbidden', READER_MESSAGE, number);
    }
  }

  /**
   * Remembers that a push was processed. Returns false if only its connection remembers that. This is so for a user who may only
   * read: such a user gets no client record (`FLOOD-5`), and nothing of the push was applied.
   */
  #notePush(
    { clientId, number, peer }: PushOrigin<Connection>,
    refusal: RefusalReason | undefined,
  ): boolean {
    if (refusal !== 'access' || this.#state.clients.lastPush(clientId) > 0) {
      this.#state.clients.notePush(clientId, number, this.#parts.host.now());
      return true;
    }
    if (peer.state.type === 'client') peer.setState({ ...peer.state, nextPush: number + 1 });
    return false;
  }

  /** Charges the author of a push if the answer is longer than the push: a few characters may delete everything (`FLOOD-3`). */
  #charge(peer: Peer<Connection>, asked: Changes, told: Changes | undefined): void {
    if (told === undefined) return;
    peer.allowance.spendOnAnswer(changesSize(told) - changesSize(asked));
  }

  #settleStock(asked: Changes, origin: StockOrigin<Connection>, { log }: WriteOutcome): undefined {
    if (log !== undefined) this.#state.commit(log, origin);
    const answer = stockAnswerTo(this.#parts.observed.store, asked, log?.changes);
    this.#charge(origin.peer, asked, answer);
    this.#parts.outgoing.sendStockAnswer(this.#state, origin.peer, answer);
  }

  #settleSeed(
    asked: Changes,
    origin: SeedOrigin<Request>,
    { log, refusal }: WriteOutcome,
  ): SeedOutcome {
    const { changes, isAltered } = correctionOf(this.#parts.observed.store, asked, NO_LEAVES);
    // A fully refused seed creates no Store; an empty seed does.
    const isRefused = !asked.leaves.isEmpty && changes?.leaves.count() === asked.leaves.count();
    if (log !== undefined && !(log.before.isEmpty && isRefused)) this.#state.create(origin);
    if (changes !== undefined && isAltered) {
      const refused = { correction: changes, reason: refusal ?? 'schema' };
      return { type: 'created', refused, cursor: undefined };
    }
    const isJustThat = this.#state.hasStore && holdsJust(this.#parts.observed.store, asked.leaves);
    return {
      type: 'created',
      refused: undefined,
      cursor: isJustThat ? this.#state.cursor : undefined,
    };
  }
}

/** Returns true if the Store has one of the leaves that were asked for. */
function showsAny(store: Store, { leaves }: Changes): boolean {
  let isShown = false;
  leaves.forEach((leaf, table, row, cell) => {
    isShown ||= leaf !== undefined && readLeaf(store, table, row, cell) === leaf;
  });
  return isShown;
}
