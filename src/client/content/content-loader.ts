import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { SessionEndpoint } from '../session/session-ports.ts';
import type { DetailedEvent, SessionEvent } from '../session/session-state.ts';
import type { Seed } from './seed.ts';

/** Gets the room's content and gives it a seed, over HTTP. Only the latest request counts (JOIN-1, SEED-1). */
export interface ContentLoader {
  load(): void;
  give(content: LeafMap<Leaf>): void;
  /** Ignores the answers to earlier requests. */
  cancel(): void;
}

/** Creates a loader. It reports events to `happened`; content takes its turn among the messages of the room. */
export function createContentLoader(
  endpoint: SessionEndpoint,
  seed: Seed,
  happened: (event: SessionEvent) => void,
  arrived: (event: DetailedEvent & { readonly type: 'content' }) => void,
): ContentLoader {
  let latest = 0;
  const request = async <T>(
    answer: Promise<T>,
    onAnswer: (answer: T, isLatest: boolean) => void,
    failed: 'load-failed' | 'seed-failed',
  ): Promise<void> => {
    const number = ++latest;
    try {
      const answered = await answer;
      onAnswer(answered, number === latest);
    } catch (error) {
      if (number === latest) happened({ type: failed, error });
    }
  };
  return {
    load: () =>
      void request(
        endpoint.get(),
        (loaded, isLatest) => {
          if (isLatest) arrived({ type: 'content', ...loaded });
        },
        'load-failed',
      ),
    give: (content) =>
      void request(
        endpoint.put(content),
        (correction, isLatest) => {
          if (correction !== undefined) seed.corrected(content, correction);
          if (isLatest) happened('seeded');
          // A later request replaced this one, so this one only reports its refusals.
          else seed.tellRefusals();
        },
        'seed-failed',
      ),
    cancel: () => {
      latest++;
    },
  };
}
