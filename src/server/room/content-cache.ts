import type { RoomState } from '../history/room-state.ts';
import type { RoomHost } from './room-host.ts';

/** The identity of a content. */
type Version = Pick<RoomState<unknown, unknown>, 'version'>;

/** The time for all clients that were told to load. Meanwhile the JSON takes as much memory as the content. */
const KEPT_MILLISECONDS = 1_000;

/** Keeps the content's JSON for a moment, because everybody loads at once when a room is new or restored (`JOIN-7`). */
export class ContentCache {
  readonly #host: Pick<RoomHost<never>, 'after'>;
  #kept: { readonly state: Version; readonly version: number; readonly json: string } | undefined;
  #cancel: (() => void) | undefined;

  constructor(host: Pick<RoomHost<never>, 'after'>) {
    this.#host = host;
  }

  /**
   * Returns the JSON of the content at the state's version: the kept one, or what `serialise` returns. After a failed
   * write, another state may give the same version to another content.
   */
  read(state: Version, serialise: () => string): string {
    const { version } = state;
    if (this.#kept?.state === state && this.#kept.version === version) return this.#kept.json;
    const json = serialise();
    this.#kept = { state, version, json };
    this.#cancel?.();
    this.#cancel = this.#host.after(KEPT_MILLISECONDS, () => {
      this.#kept = undefined;
    });
    return json;
  }
}
