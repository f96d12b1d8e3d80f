import type { Store } from 'tinybase';

import { isEmptyChanges, type Changes } from '../../protocol/changes.ts';
import { readContent, type TransactionLog } from '../../protocol/store-access.ts';

import type { Author, Ledger } from './ledger.ts';
import type { Dispatcher } from '../room/dispatcher.ts';
import type { Peer } from '../room/peers.ts';

/** Who made a transaction. */
export interface Maker<Origin> {
  /** Of a numbered push. */
  readonly author: Author;
  /** The connection, which gets an answer of its own in place of the commit. */
  readonly peer: Peer<Origin> | undefined;
  /** True for the room's own code. */
  readonly isServerSide: boolean;
}

/** What a transaction became. */
export type Committed =
  /** It changed nothing. */
  | 'nothing'
  | 'commit'
  /** The room's first content: everybody was told to load it, the maker too. */
  | 'first content';

/** Makes commits of what happened to the Store: orders them, writes them, tells everybody. */
export class Committer<Origin> {
  readonly #store: Store;
  readonly #dispatcher: Dispatcher<Origin>;

  constructor(store: Store, dispatcher: Dispatcher<Origin>) {
    this.#store = store;
    this.#dispatcher = dispatcher;
  }

  /** To be called right after the transaction, before anything else can happen to the Store. */
  commit(
    ledger: Ledger,
    log: TransactionLog,
    { author, peer, isServerSide }: Maker<Origin>,
  ): Committed {
    if (isEmptyChanges(log.changes)) return 'nothing';
    if (!ledger.hasStore) {
      this.begin(ledger, isServerSide);
      return 'first content';
    }
    const encoded = ledger.commit(log, author, isServerSide);
    this.#dispatcher.commit(ledger, log.changes, encoded, peer);
    return 'commit';
  }

  /** Makes what the Store holds the room's first content. */
  begin(ledger: Ledger, isServerSide: boolean): void {
    const content = readContent(this.#store);
    ledger.begin(content, isServerSide);
    const changes: Changes = { deletedRows: new Map(), leaves: content };
    this.#dispatcher.firstContent(ledger, changes);
  }
}
