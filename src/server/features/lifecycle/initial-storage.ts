import { TinyBasePartyKitError } from '../../../protocol/errors.ts';
import { inTime } from '../../../protocol/in-time.ts';
import type { Leaf } from '../../../protocol/leaf.ts';
import type { LeafMap } from '../../../protocol/leaf-map.ts';
import { isPausing } from '../../room/clock.ts';
import { readGivenContent } from '../../room/given-content.ts';
import type { FeatureRoom } from '../../room/room-feature.ts';
import type { InitialStorage, LifecycleHooks } from './lifecycle-hooks.ts';
import type { LifecycleSettings } from './lifecycle-settings.ts';

/** After a failure, the hook is not asked again for this time. */
const PAUSE_MILLISECONDS = 500;

/** Asks `getInitialStorage` for the content of a room that has none (`SAVE-1`). It fails closed. */
export class InitialStorageQuestion {
  readonly #room: Pick<FeatureRoom<never>, 'now' | 'after'>;
  readonly #hooks: LifecycleHooks<never, never>;
  readonly #settings: LifecycleSettings;
  readonly #report: (error: unknown) => void;
  #failure: { readonly error: unknown; readonly time: number } | undefined;

  constructor(
    room: Pick<FeatureRoom<never>, 'now' | 'after'>,
    hooks: LifecycleHooks<never, never>,
    settings: LifecycleSettings,
    report: (error: unknown) => void,
  ) {
    this.#room = room;
    this.#hooks = hooks;
    this.#settings = settings;
    this.#report = report;
  }

  /** Resolves to the content; undefined if there is none. Rejects if the hook failed, now or a moment ago. */
  async ask(): Promise<LeafMap<Leaf> | undefined> {
    const failure = this.#failure;
    if (failure !== undefined && isPausing(failure.time, PAUSE_MILLISECONDS, this.#room.now()))
      throw failure.error;
    this.#failure = undefined;
    try {
      return readContent(await this.#askInTime());
    } catch (error) {
      this.#failure = { error, time: this.#room.now() };
      this.#report(error);
      throw error;
    }
  }

  #askInTime(): Promise<InitialStorage> {
    const milliseconds = this.#settings.initialStorageMilliseconds;
    const after = this.#room.after.bind(this.#room);
    return inTime(this.#hooks.getInitialStorage?.(), milliseconds, after, () => {
      const message = `getInitialStorage did not answer within ${milliseconds} ms: look at the database, or raise initialStorageMilliseconds. Methods of the room, such as start or exportRoom, wait for getInitialStorage: await none of them in it.`;
      return new TinyBasePartyKitError('unavailable', message);
    });
  }
}

/** Throws `malformed` for anything that is not the content of a Store. */
function readContent(given: InitialStorage): LeafMap<Leaf> | undefined {
  if (given === undefined || given === null) return undefined;
  if (typeof given === 'string') throw malformed('it is a text: parse it first');
  try {
    const content = readGivenContent(given);
    if (content === undefined) throw new Error(`it is a ${typeof given}`);
    return content;
  } catch (error) {
    throw malformed(error instanceof Error ? error.message : String(error), error);
  }
}

function malformed(what: string, cause?: unknown): TinyBasePartyKitError {
  const message = `The content of getInitialStorage is invalid: ${what}. Return [tables, values], as store.getContent() does, or null.`;
  return new TinyBasePartyKitError('malformed', message, { cause });
}
