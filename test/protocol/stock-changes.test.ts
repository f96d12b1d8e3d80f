import * as fc from 'fast-check';
import { createStore, type Store } from 'tinybase';
import { createPartyKitPersister } from 'tinybase/persisters/persister-partykit-client';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { ALL_ROWS, applyChangesToLeaves, ChangesBuilder } from '../../src/protocol/changes.ts';
import {
  decodeClientMessage,
  decodeRoomMessage,
  encodeClientMessage,
  encodeRoomMessage,
} from '../../src/protocol/codec.ts';
import { DELETED, VALUES, type Leaf } from '../../src/protocol/leaf.ts';
import type { LeafMap } from '../../src/protocol/leaf-map.ts';
import { readContent, writeLeaf } from '../../src/protocol/store-access.ts';
import { changes as someChanges, contents, described, listed } from './arbitrary-changes.ts';
import { edit, transactions } from './arbitrary-edits.ts';

const PREFIX = 'x/';

/** A socket as far as TinyBase's own persister uses one. */
class StockSocket extends EventTarget {
  readonly name = 'main';
  readonly room = 'room';
  readonly partySocketOptions = { host: 'host', room: 'room' };
  readonly sent: string[] = [];

  send(frame: string): void {
    this.sent.push(frame);
  }

  receive(frame: string): void {
    this.dispatchEvent(new MessageEvent('message', { data: frame }));
  }
}

/** A Store with TinyBase's own persister, which saves and loads. */
async function stockPeer(): Promise<{ readonly store: Store; readonly socket: StockSocket }> {
  const store = createStore();
  const socket = new StockSocket();
  const persister = createPartyKitPersister(store, socket as never, { messagePrefix: PREFIX });
  await persister.startAutoPersisting();
  return { store, socket };
}

/** Whatever TinyBase does with a change it does within a few promises. */
async function settled(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

beforeEach(() => {
  vi.stubGlobal('fetch', async () => new Response(''));
});

afterEach(() => {
  vi.unstubAllGlobals();
});

function storeOf(content: LeafMap<Leaf>): Store {
  const store = createStore();
  store.transaction(() => {
    content.forEach((leaf, ...address) => writeLeaf(store, ...address, leaf));
  });
  return store;
}

describe('what a stock client sends', () => {
  test('[STOCK-1] decodes to what it did', async () => {
    await fc.assert(
      fc.asyncProperty(transactions, transactions, async (first, second) => {
        const { store, socket } = await stockPeer();
        edit(store, first);
        await settled();
        const content = readContent(store);
        socket.sent.length = 0;
        edit(store, second);
        await settled();
        for (const frame of socket.sent) {
          const message = decodeClientMessage(PREFIX, frame);
          if (message?.type !== 'stock') throw new Error(`not stock: ${frame}`);
          applyChangesToLeaves(content, message.changes);
        }
        expect(listed(content)).toEqual(listed(readContent(store)));
      }),
      { numRuns: 60 },
    );
  });

  test('[STOCK-1] says deletions of tables and rows as such', () => {
    const frame = `s[{"t":"${DELETED}","u":{"r":"${DELETED}","s":{"c":"${DELETED}"}}},{"v":"${DELETED}"},1]`;
    const message = decodeClientMessage('', frame);
    const expected = new ChangesBuilder();
    expected.deleteTable('t');
    expected.deleteRow('u', 'r');
    expected.setLeaf('u', 's', 'c', undefined);
    expected.setLeaf(VALUES, '', 'v', undefined);
    expect(message?.type === 'stock' && described(message.changes)).toEqual(described(expected));
  });
});

describe('what a stock client is sent', () => {
  test('[STOCK-1] does to its Store what the changes do', async () => {
    await fc.assert(
      fc.asyncProperty(contents, someChanges, async (content, changes) => {
        // A row or table that is deleted and then set is more than a stock frame can say.
        fc.pre(
          ![...changes.deletedRows.keys()].some((table) => changes.leaves.rows(table).size > 0),
        );
        const { store, socket } = await stockPeer();
        store.setContent(storeOf(content).getContent());
        await settled();
        socket.receive(encodeRoomMessage(PREFIX, { type: 'stock', changes }));
        await settled();
        applyChangesToLeaves(content, changes);
        expect(listed(readContent(store))).toEqual(listed(content));
      }),
      { numRuns: 60 },
    );
  });

  test('[STOCK-1] leaves out the deletion of a row or table that is set as well', () => {
    const builder = new ChangesBuilder();
    builder.deleteRow('t', 'r');
    builder.deleteRow('t', 's');
    builder.deleteTable('u');
    builder.setLeaf('t', 'r', 'c', 1);
    builder.setLeaf('u', 'r', 'c', 1);
    expect(encodeRoomMessage('', { type: 'stock', changes: builder })).toBe(
      `s[{"t":{"r":{"c":1},"s":"${DELETED}"},"u":{"r":{"c":1}}},{},1]`,
    );
  });
});

test('stock frames say the same in both directions', () => {
  fc.assert(
    fc.property(someChanges, (changes) => {
      const frame = encodeRoomMessage('', { type: 'stock', changes });
      expect(encodeClientMessage('', { type: 'stock', changes })).toBe(frame);
      const decoded = decodeRoomMessage('', frame);
      if (decoded?.type !== 'stock') throw new Error('not stock');
      expect(encodeRoomMessage('', decoded)).toBe(frame);
      for (const [table, rows] of decoded.changes.deletedRows) {
        expect(changes.deletedRows.get(table) === ALL_ROWS).toBe(rows === ALL_ROWS);
      }
    }),
  );
});
