import type { Id, Store } from 'tinybase';

/** Some of the cells; undefined deletes one. */
export type PresenceEdit<Cells> = { readonly [CellId in keyof Cells]?: Cells[CellId] | undefined };

/** The options of `createPresence` in a client. */
export interface PresenceOptions<Cells> {
  /** The first cells of the own row. Without any, the client only watches: others see it only if the room knows its user. */
  readonly initial?: PresenceEdit<Cells>;
  /** The `messagePrefix` of the server; `''` by default. */
  readonly messagePrefix?: string;
  /**
   * Gets a `TinyBasePartyKitError` when the room refuses something, and the errors of the Store's listeners. `console.warn` by default.
   * `docs/troubleshooting.md` of the package explains each message.
   */
  // oxlint-disable-next-line typescript/no-explicit-any -- As in TinyBase's own persisters, apps narrow it.
  readonly onIgnoredError?: (error: any) => void;
  /** The time for which others are shown after the connection was lost. 5,000 by default. */
  readonly lingerMilliseconds?: number;
  /**
   * The time without news from the room after which a client asks if the others are still there. The client adds a random
   * part of up to half of it. 60,000 by default.
   */
  readonly checkMilliseconds?: number;
}

/** The presence of a client. `Cells` are the cells that it sets. */
export interface Presence<Cells> {
  /**
   * Returns the presence Store: a row for each connection in the table `connections`, with the app's cells and the id of
   * its `user`; a row for each user in `users`. The own row may be edited here, too. Edits of other rows are not sent.
   */
  getStore(): Store;
  /** Returns the id of the own row: the PartySocket's. */
  getId(): Id;
  /** Sets cells of the own row, and leaves the others unchanged; undefined deletes one. */
  set(cells: PresenceEdit<Cells>): void;
  /** Leaves, and removes everybody from the Store. From then on, `set` does nothing. The socket stays open. */
  destroy(): void;
}
