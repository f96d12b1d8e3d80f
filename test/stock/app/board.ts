import { PartySocket } from 'partysocket';
import { createIndexes, createStore, type Indexes, type Store } from 'tinybase';
import {
  createPartyKitPersister,
  type PartyKitPersister,
} from 'tinybase/persisters/persister-partykit-client';
import { WebSocket } from 'ws';

const CHAT_PREFIX = 'chat:';

/** A board as one person has it open. */
export interface Board {
  readonly store: Store;
  readonly persister: PartyKitPersister;
  /** The ids of the cards in a column, by title. */
  readonly cardsIn: (column: string) => readonly string[];
  readonly addCard: (id: string, column: string, title: string, labels?: string[]) => void;
  readonly moveCard: (id: string, column: string) => void;
  readonly removeCard: (id: string) => void;
  readonly say: (text: string) => void;
  /** What was said, in order. */
  readonly said: readonly string[];
  /** What the persister ignored. */
  readonly errors: readonly unknown[];
  readonly close: () => Promise<void>;
}

/** Opens a board that others may have open, too; if it is new, with two columns and that name. */
export async function openBoard(
  host: string,
  room: string,
  user: string,
  name: string,
): Promise<Board> {
  const store = createStore().setTablesSchema({
    columns: { title: { type: 'string' }, position: { type: 'number' } },
    cards: {
      title: { type: 'string' },
      column: { type: 'string' },
      isArchived: { type: 'boolean', default: false },
      labels: { type: 'array' },
    },
  });
  const indexes: Indexes = createIndexes(store).setIndexDefinition(
    'column',
    'cards',
    (getCell) => getCell('column') as string,
    'title',
  );
  const socket = new PartySocket({ host, room, query: { user }, WebSocket });
  const said: string[] = [];
  socket.addEventListener('message', ({ data }: MessageEvent<string>) => {
    if (data.startsWith(CHAT_PREFIX)) said.push(data.slice(CHAT_PREFIX.length));
  });
  const opened = new Promise((resolve) => {
    socket.addEventListener('open', resolve, { once: true });
  });
  const errors: unknown[] = [];
  const persister = createPartyKitPersister(
    store,
    socket,
    { storeProtocol: 'http', storePath: '/board', messagePrefix: 'board:' },
    (error) => errors.push(error),
  );
  await opened;
  await persister.startAutoLoad([
    { columns: { todo: { title: 'To do', position: 1 }, done: { title: 'Done', position: 2 } } },
    { name },
  ]);
  await persister.startAutoSave();
  return {
    store,
    persister,
    said,
    errors,
    cardsIn: (column) => indexes.getSliceRowIds('column', column),
    addCard: (id, column, title, labels) => {
      store.setRow('cards', id, { title, column, ...(labels !== undefined && { labels }) });
    },
    moveCard: (id, column) => {
      store.setCell('cards', id, 'column', column);
    },
    removeCard: (id) => {
      store.delRow('cards', id);
    },
    say: (text) => {
      socket.send(CHAT_PREFIX + text);
    },
    close: async () => {
      await persister.destroy();
      socket.close();
    },
  };
}
