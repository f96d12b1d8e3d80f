import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { SeedCorrection } from '../../protocol/messages.ts';
import type { LoadedContent, SessionEndpoint } from '../session/session-ports.ts';

/** Gets the room's content and gives it a seed, over HTTP. Only the latest request counts (JOIN-1, SEED-1). */
export interface ContentLoader {
  load(): void;
  give(seed: LeafMap<Leaf>): void;
  /** What was requested does not count any more. */
  cancel(): void;
}

/** Calls of a loader to its owner. */
export interface LoaderEvents {
  readonly onContent: (loaded: LoadedContent) => void;
  readonly onLoadFailed: (error: unknown) => void;
  /** The room refused or altered something of a seed; `isCurrent` unless something else was requested since. */
  readonly onCorrected: (
    seed: LeafMap<Leaf>,
    correction: SeedCorrection,
    isCurrent: boolean,
  ) => void;
  readonly onSeeded: () => void;
  readonly onSeedFailed: (error: unknown) => void;
}

/** Creates a loader that requests nothing yet. */
export function createContentLoader(
  endpoint: SessionEndpoint,
  events: LoaderEvents,
): ContentLoader {
  let latest = 0;
  const request = async <T>(
    answer: Promise<T>,
    onAnswer: (answer: T, isCurrent: boolean) => void,
    onFailed: (error: unknown) => void,
  ): Promise<void> => {
    const number = ++latest;
    try {
      const answered = await answer;
      onAnswer(answered, number === latest);
    } catch (error) {
      if (number === latest) onFailed(error);
    }
  };
  return {
    load: () =>
      void request(
        endpoint.get(),
        (loaded, isCurrent) => {
          if (isCurrent) events.onContent(loaded);
        },
        events.onLoadFailed,
      ),
    give: (seed) =>
      void request(
        endpoint.put(seed),
        (correction, isCurrent) => {
          if (correction !== undefined) events.onCorrected(seed, correction, isCurrent);
          if (isCurrent) events.onSeeded();
        },
        events.onSeedFailed,
      ),
    cancel: () => {
      latest++;
    },
  };
}
