import type { Content } from 'tinybase';

import type { PartyKitPersisterConfig } from '../client/index.ts';

/** The options of `usePartyKitPersister`. */
export interface PersisterOptions {
  /** The content for a room that has none. */
  readonly initialContent?: Content | (() => Content);
  /** The configuration of the persister. */
  readonly config?: PartyKitPersisterConfig;
  /**
   * Gets the errors from which the persister recovers by itself; `console.warn` by default. `docs/troubleshooting.md` of the package explains each message.
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- As in TinyBase's own persisters, apps narrow it.
  readonly onIgnoredError?: (error: any) => void;
}
