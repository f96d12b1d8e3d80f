import { composeChanges, isEmptyChanges, type Changes } from '../../protocol/changes.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Ack, Commit, Cursor, Pong, Welcome } from '../../protocol/messages.ts';
import type { RestoredRecords } from '../offline/client-storage.ts';
import type { Outbox } from '../offline/outbox.ts';
import { cursorOf, NO_PLACE, type Place } from './place.ts';
import { refusalsOfCorrection, refusalsOfDropped, type Refusal } from '../replica/refusal.ts';
import type { Replica } from '../replica/replica.ts';
import type { Stats } from './stats.ts';
import type { Wishes } from './wishes.ts';

/** What came of a message; `busy`: the Store is, and nothing was done; `lost`: something before it is missing. */
export type Step = 'done' | 'busy' | 'lost';

/** What a footing needs of its conversation, and tells it. */
export interface FootingOptions {
  readonly replica: Replica;
  readonly outbox: Outbox;
  readonly wishes: Wishes;
  readonly stats: Stats;
  readonly onRefused: (refusals: readonly Refusal[]) => void;
  readonly onError: (error: unknown) => void;
}

/** What a client holds of its room, moved on in the room's order and no other (ORDER-4, ORDER-5). */
export class Footing {
  /** What hello is said with next. */
  place: Place = NO_PLACE;
  readonly #options: FootingOptions;
  /** Of what the Store shows; undefined while it shows nothing of the room. */
  #shownEpoch: string | undefined;

  constructor(options: FootingOptions) {
    this.#options = options;
  }

  /** Goes on where a client stopped (KEEP-1). */
  restore({ base }: RestoredRecords): void {
    this.#shownEpoch = base?.cursor.epoch;
  }

  /** Another room. */
  renew(): void {
    this.place = NO_PLACE;
    this.#shownEpoch = undefined;
  }

  get cursor(): Cursor | undefined {
    return cursorOf(this.place);
  }

  /** True if what the next welcome brings is shown. */
  get isShown(): boolean {
    return this.#options.wishes.isFollowing || (this.place.type === 'staged' && this.place.isShown);
  }

  /** Takes what a welcome brings. */
  catchUp({ cursor, lastPush }: Welcome, changes: Changes): Step {
    const { replica, outbox } = this.#options;
    const staged = this.place.type === 'staged' ? this.place : undefined;
    const answered = replica.pending.filter((push) => push.number <= lastPush);
    // Nothing to show: the app's transaction listeners would hear of a transaction in which nothing happens.
    const isUpToDate =
      staged === undefined && isEmptyChanges(changes) && lastPush < replica.nextPush;
    const isDone = isUpToDate || replica.catchUp(staged?.content, lastPush, changes, this.isShown);
    if (!isDone) return 'busy';
    this.place = { type: 'base', cursor };
    outbox.answered(answered);
    if (staged === undefined && answered.length > 0) {
      const sent = composeChanges(answered.map((push) => push.changes));
      this.#tell(refusalsOfDropped(sent, changes, replica));
    }
    return 'done';
  }

  /** Tells if the room is a new one: what was shown may be gone, and nobody here has deleted it (JOIN-8). */
  tellIfNew(): void {
    const { cursor } = this;
    const isNew = this.#shownEpoch !== undefined && this.#shownEpoch !== cursor?.epoch;
    this.#shownEpoch = cursor?.epoch;
    if (!isNew) return;
    const message =
      'The room began anew: it was wiped or restored. Its content has replaced what was shown; edits that it had not confirmed were kept.';
    this.#options.onError(new TinyBasePartyKitError('stale', message));
  }

  /** Takes what somebody else did. */
  commit({ version, changes }: Commit): Step {
    const { replica, outbox, stats } = this.#options;
    const { cursor } = this;
    if (cursor === undefined || version !== cursor.version + 1) return 'lost';
    if (!replica.commit(changes)) return 'busy';
    this.place = { type: 'base', cursor: { epoch: cursor.epoch, version } };
    stats.loads++;
    outbox.saveBaseLater();
    return 'done';
  }

  /** Takes what the room made of the oldest push. */
  acknowledge({ number, version, isCommit, correction, reason }: Ack): Step {
    const { replica, outbox } = this.#options;
    const { cursor } = this;
    const push = replica.pending[0];
    const isExpected =
      cursor !== undefined &&
      push?.number === number &&
      version === cursor.version + (isCommit ? 1 : 0);
    if (!isExpected) return 'lost';
    if (correction === undefined) replica.acknowledge();
    else if (!replica.acknowledgeCorrected(correction)) return 'busy';
    this.place = { type: 'base', cursor: { epoch: cursor.epoch, version } };
    outbox.answered([push]);
    if (correction !== undefined)
      this.#tell(refusalsOfCorrection(push.changes, correction, reason ?? 'unknown'));
    return 'done';
  }

  /** True if a pong tells of nothing that is missing here (ORDER-7). */
  agreesWith({ version, lastPush }: Pong): boolean {
    return version === this.cursor?.version && lastPush < this.#options.replica.nextPush;
  }

  #tell(refusals: readonly Refusal[]): void {
    if (refusals.length > 0) this.#options.onRefused(refusals);
  }
}
