import type { Ledger } from '../history/ledger.ts';

/** What says which content it is. */
type Version = Pick<Ledger, 'version'>;

/** As long as it may take until all who were told to load have asked. As much memory again as the content's JSON. */
const KEPT_MILLISECONDS = 1_000;

/** Keeps the content's JSON for a moment: when a room is new, restored or large, everybody loads it at once (`JOIN-7`). */
export class ContentCache {
  readonly #after: (milliseconds: number, callback: () => void) => () => void;
  #kept: { readonly ledger: Version; readonly version: number; readonly json: string } | undefined;
  #cancel: (() => void) | undefined;

  constructor(after: (milliseconds: number, callback: () => void) => () => void) {
    this.#after = after;
  }

  /**
   * The JSON of the content at the ledger's version: what is kept, or else what `serialise` returns. After a write that
   * failed, another ledger may give the same version to something else.
   */
  read(ledger: Version, serialise: () => string): string {
    const { version } = ledger;
    if (this.#kept?.ledger === ledger && this.#kept.version === version) return this.#kept.json;
    const json = serialise();
    this.#kept = { ledger, version, json };
    this.#cancel?.();
    this.#cancel = this.#after(KEPT_MILLISECONDS, () => {
      this.#kept = undefined;
    });
    return json;
  }
}
