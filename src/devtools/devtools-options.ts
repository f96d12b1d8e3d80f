import type PartySocket from 'partysocket';
import type { Id } from 'tinybase';

import type { Refusal, Sync } from '../client/index.ts';

/** As much of a persister as the panel uses. The persisters of all entry points have it, with and without schemas. */
export interface WatchedPersister {
  getConnection(): PartySocket;
  getStore(): { getContent(): unknown };
  getSync(): Sync;
  addSyncListener(listener: (persister: unknown, sync: Sync) => void): Id;
  addRefusalListener(listener: (persister: unknown, refusals: readonly Refusal[]) => void): Id;
  delListener(listenerId: Id): unknown;
}

/** The corner of the window in which the panel opens. */
export type DevtoolsCorner = 'bottom-left' | 'bottom-right' | 'top-left' | 'top-right';

/** The options of `createDevtools`. */
export interface DevtoolsOptions {
  /** The title of the panel: for pages with several persisters. By default the name of the room. */
  readonly name?: string;
  /** The `messagePrefix` of the persister; `''` by default. */
  readonly messagePrefix?: string;
  /** The corner of the window in which the panel opens; `'bottom-left'` by default. */
  readonly corner?: DevtoolsCorner;
  /** The element that gets the button which opens the panel. By default the button is in the corner of the window. */
  readonly parent?: Element;
  /** True if the panel is open from the beginning; false by default. */
  readonly isOpen?: boolean;
}

/** A panel on the page. */
export interface Devtools {
  /** The element with the button and the panel, in a shadow root. */
  readonly element: HTMLElement;
  /** Opens the panel. */
  open(): void;
  /** Closes the panel. The button stays. */
  close(): void;
  /** Removes the panel and the button, and stops to watch the socket. */
  destroy(): void;
}
