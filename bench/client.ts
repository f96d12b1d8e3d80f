/** `npm run bench -- client [--only join,apply]`: what a client does without a network, beside a plain Store: processor time. */
import { parseArgs } from 'node:util';

import { createStore, type Store } from 'tinybase/store';

import {
  decodeLoadedContent,
  decodeRoomMessage,
  encodeLoadedContent,
} from '../src/protocol/codec.ts';
import { Replica } from '../src/client/replica/replica.ts';
import { contentOf } from './support/content.ts';
import { assert, measure, report, worked } from './support/measure.ts';

const ROUNDS = 15;

const { values } = parseArgs({ options: { only: { type: 'string', default: 'join,apply,edit' } } });
const wanted = values.only.split(',');

function replicaOf(store: Store): Replica {
  const replica = new Replica(store, {
    onPending: () => undefined,
    onRefused: () => {
      throw new Error('Wrong result: something was refused.');
    },
    onError: (error) => {
      throw error;
    },
  });
  replica.startTracking();
  replica.setFollowing(true);
  replica.setSaving(true);
  return replica;
}

function join(text: string, store: Store = createStore()): Replica {
  const { content } = decodeLoadedContent(text);
  const replica = replicaOf(store);
  assert(content !== undefined && replica.catchUp({ content }), 'it is not shown');
  return replica;
}

function joinPlain(body: string, store: Store = createStore()): Store {
  const [tables, storeValues] = JSON.parse(body);
  return store.setContent([tables, storeValues]);
}

async function measureJoin(cells: number): Promise<void> {
  const body = JSON.stringify(contentOf(cells));
  const text = encodeLoadedContent({ epoch: 'e', version: 1 }, body);
  const check = (store: Store): void =>
    assert(store.getRowCount('rows') === cells / 10, 'rows are missing');
  const figures = await measure(ROUNDS, [
    {
      name: 'JSON.parse + setContent',
      run: async () => {
        const store = createStore();
        const taken = await worked(() => joinPlain(body, store));
        check(store);
        return taken;
      },
    },
    {
      name: 'ours: decode, show, read back',
      run: async () => {
        const store = createStore();
        const taken = await worked(() => join(text, store));
        check(store);
        return taken;
      },
    },
  ]);
  report(`Content of ${cells.toLocaleString('en')} Cells arrives`, figures, '1.15');
}

/** Of 1,000 changes each time. */
async function measureApply(cells: number, ownEdits: number): Promise<void> {
  const body = JSON.stringify(contentOf(cells));
  const plain = joinPlain(body);
  const replica = join(encodeLoadedContent({ epoch: 'e', version: 1 }, body));
  for (let own = 0; own < ownEdits; own += 1)
    replica.store.setCell('own', `row ${own}`, 'cell', own);
  let value = 0;
  const frames = (start: string, end: string): string[] =>
    Array.from({ length: 1_000 }, () => {
      value += 1;
      return `${start}{"rows":{"row ${value % (cells / 10)}":{"cell 2":${value}}}},{}${end}`;
    });
  const figures = await measure(ROUNDS, [
    {
      name: 'a plain Store: JSON.parse + applyChanges',
      run: () => {
        const texts = frames('[', ',1]');
        return worked(() => {
          for (const text of texts) plain.applyChanges(JSON.parse(text));
        });
      },
    },
    {
      name: 'ours',
      run: () => {
        const texts = frames('c[1,[', ']]');
        return worked(() => {
          for (const text of texts) {
            const message = decodeRoomMessage('', text);
            assert(message?.type === 'commit' && replica.commit(message.changes), text);
          }
        });
      },
    },
  ]);
  report(
    `1,000 remote changes arrive: ${cells.toLocaleString('en')} Cells, ${ownEdits} own edits under way`,
    figures,
    '1.5',
  );
}

/** Of 1,000 edits each time, and their acks. */
async function measureEdit(cells: number): Promise<void> {
  const body = JSON.stringify(contentOf(cells));
  const plain = joinPlain(body);
  const replica = join(encodeLoadedContent({ epoch: 'e', version: 1 }, body));
  let value = 0;
  const edit = (store: Store): void => {
    value += 1;
    store.setCell('rows', `row ${value % (cells / 10)}`, 'cell 2', value);
  };
  const figures = await measure(ROUNDS, [
    {
      name: 'a plain Store: setCell',
      run: () =>
        worked(() => {
          for (let index = 0; index < 1_000; index += 1) edit(plain);
        }),
    },
    {
      name: 'ours, with the acks',
      run: () =>
        worked(() => {
          for (let index = 0; index < 1_000; index += 1) edit(replica.store);
          while (replica.pending.length > 0) replica.acknowledge();
        }),
    },
  ]);
  report(`1,000 edits: ${cells.toLocaleString('en')} Cells`, figures);
}

if (wanted.includes('join')) {
  await measureJoin(1_000);
  await measureJoin(100_000);
}
if (wanted.includes('apply')) {
  await measureApply(100, 0);
  await measureApply(100_000, 0);
  await measureApply(100, 1_000);
}
if (wanted.includes('edit')) await measureEdit(1_000);
process.exit(0);
