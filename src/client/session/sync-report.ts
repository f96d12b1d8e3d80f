import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { SessionEvents, Sync, SyncPhase } from './sync.ts';

/** The phases that nothing has kept a session from. */
const UNHINDERED: ReadonlySet<SyncPhase> = new Set(['idle', 'live', 'reduced', 'empty']);

/** What a session says of itself, to whoever asks or listens: each thing once. */
export class SyncReport {
  readonly #events: SessionEvents;
  #sync: Sync = { phase: 'idle', unsaved: 0, localOnly: 0, code: undefined, error: undefined };

  constructor(events: SessionEvents) {
    this.#events = events;
  }

  /** As of the last report. */
  get sync(): Sync {
    return this.#sync;
  }

  /** This is how it stands; `end` if it is for good. */
  stands(
    phase: SyncPhase,
    { unsaved, localOnly }: Pick<Sync, 'unsaved' | 'localOnly'>,
    end: TinyBasePartyKitError | undefined,
  ): void {
    const error = end ?? (UNHINDERED.has(phase) ? undefined : this.#sync.error);
    this.#tell({ phase, unsaved, localOnly, code: end?.code, error });
  }

  /** Something went wrong. What keeps the session from being live is not repeated with each attempt. */
  failed(error: unknown): void {
    const { phase, error: last } = this.#sync;
    const isHindrance =
      error instanceof TinyBasePartyKitError && phase !== 'stopped' && !UNHINDERED.has(phase);
    if (!isHindrance) {
      this.#events.onError(error);
      return;
    }
    if (last?.code === error.code && last.message === error.message) return;
    this.#events.onError(error);
    this.#tell({ ...this.#sync, error });
  }

  #tell(sync: Sync): void {
    const before = this.#sync;
    const isNews =
      sync.phase !== before.phase ||
      sync.unsaved !== before.unsaved ||
      sync.localOnly !== before.localOnly ||
      sync.error !== before.error;
    if (!isNews) return;
    this.#sync = sync;
    this.#events.onSync(sync);
  }
}
