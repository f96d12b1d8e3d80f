import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import type { SessionEndpoint } from '../session/session-ports.ts';
import type { SessionEvent } from '../session/session-types.ts';
import type { Seed } from './seed.ts';

/** A request without an answer for so long may be lost. */
const SLOW_MILLISECONDS = 5000;

/** So many bytes of content are worth telling of. */
const PROGRESS_BYTES = 64 * 1024;

/** Gets the room's content and gives it a seed, over HTTP. Only the latest request counts (JOIN-1, SEED-1). */
export interface ContentLoader {
  /** With `unique`, a text that was never used, the URL is one that no cache has seen. */
  load(unique?: string): void;
  /** Returns how many bytes have come since {@link load}, about; undefined before the first 64 KiB. */
  loadedBytes(): number | undefined;
  /** Requests the content again, if it is being requested and nothing has come for a while. */
  hurry(): void;
  give(content: LeafMap<Leaf>): void;
  /** Ignores the answers to earlier requests. */
  cancel(): void;
}

/** The answers of the room over HTTP, which no socket brings. */
const ANSWERS: ReadonlySet<string> = new Set([
  'content',
  'load-failed',
  'seed-failed',
  'seeded',
  'seed-refused',
]);

/** Returns true for an event of a loader. */
export function isOfLoader(event: SessionEvent): boolean {
  return ANSWERS.has(typeof event === 'string' ? event : event.type);
}

/** Creates a loader. It reports events to `arrived`. They take their turn among the messages of the room. */
export function createContentLoader(
  endpoint: SessionEndpoint,
  seed: Seed,
  arrived: (event: SessionEvent) => void,
  after: (milliseconds: number, callback: () => void) => () => void,
  onProgress: () => void,
): ContentLoader {
  let latest = 0;
  let loadedBytes: number | undefined;
  /** Undefined while nothing is loaded. */
  let loading: { readonly number: number; readonly unique: string | undefined } | undefined;
  let isSlow = false;
  let cancelSlow: (() => void) | undefined;
  const heard = (): void => {
    cancelSlow?.();
    isSlow = false;
    cancelSlow = after(SLOW_MILLISECONDS, () => {
      isSlow = true;
    });
  };
  const ended = (): void => {
    cancelSlow?.();
    loading = undefined;
  };
  const request = async <T>(
    answer: Promise<T>,
    onAnswer: (answer: T, isLatest: boolean) => void,
    failed: 'load-failed' | 'seed-failed',
  ): Promise<void> => {
    const number = ++latest;
    if (loading?.number !== number) ended();
    try {
      const answered = await answer;
      onAnswer(answered, number === latest);
    } catch (error) {
      if (number === latest) arrived({ type: failed, error });
    }
  };
  const load = (unique: string | undefined): void => {
    const number = latest + 1;
    ended();
    loading = { number, unique };
    heard();
    const answer = endpoint.get(unique, (bytes) => {
      if (number !== latest) return;
      heard();
      if (bytes - (loadedBytes ?? 0) < PROGRESS_BYTES) return;
      loadedBytes = bytes;
      onProgress();
    });
    void request(
      answer.finally(() => {
        if (number === latest) ended();
      }),
      (loaded, isLatest) => {
        if (isLatest) arrived({ type: 'content', ...loaded });
      },
      'load-failed',
    );
  };
  return {
    load: (unique) => {
      loadedBytes = undefined;
      load(unique);
    },
    loadedBytes: () => loadedBytes,
    hurry: () => {
      if (loading !== undefined && isSlow) load(loading.unique);
    },
    give: (content) =>
      void request(
        endpoint.put(content).catch((error: unknown) => {
          seed.failed(error);
          throw error;
        }),
        (told, isLatest) => {
          const isRefused = told?.correction && seed.corrected(content, told);
          // A later request replaced this one, so this one only reports its refusals.
          if (!isLatest) seed.tellRefusals();
          else if (told?.cursor) arrived({ type: 'content', cursor: told.cursor, content });
          else arrived(isRefused ? 'seed-refused' : 'seeded');
        },
        'seed-failed',
      ),
    cancel: () => {
      latest++;
      ended();
    },
  };
}
