import { createStore } from 'tinybase/store';

import { RoomStorage } from '../../src/server/storage/room-storage.ts';
import { contentOf } from '../support/content.ts';
import { assert, measure, note, report, timed } from '../support/measure.ts';
import { MemoryRoom, store } from '../support/memory-room.ts';
import { MemoryStorage } from '../support/memory-storage.ts';

const ROUNDS = 9;
const CELLS = 100_000;
const MILLION = 1_000_000;
const BLOBS = { start: '@tinybase-partykit/blob/', end: '@tinybase-partykit/blob0' };

/** What is measured here. */
export type InMemoryPart = 'load' | 'edits' | 'rows' | 'checkpoint';

/** In this process, on storage that costs nothing: what is measured is our own work. */
export async function measureInMemory(parts: readonly InMemoryPart[]): Promise<void> {
  if (parts.includes('load')) await measureLoad();
  if (parts.includes('edits')) await measureEdits();
  if (parts.includes('rows')) await measureRows();
  if (parts.includes('checkpoint')) await measureCheckpoint();
}

async function measureLoad(): Promise<void> {
  const storage = new MemoryStorage();
  await store(storage, JSON.stringify(contentOf(CELLS)));
  const decoder = new TextDecoder();
  const read = async (): Promise<[object, object][]> => {
    const pages = await storage.list(BLOBS);
    return Array.from(pages.values(), (page) => JSON.parse(decoder.decode(page as Uint8Array)));
  };
  const parsed = await measure(ROUNDS, [
    { name: 'read + JSON.parse', run: () => timed(read) },
    {
      name: 'RoomStorage.load',
      run: () =>
        timed(async () => {
          const loaded = await new RoomStorage(storage, { prefix: '' }).load();
          assert(loaded?.content.count() === CELLS, 'cells are missing');
        }),
    },
  ]);
  report(`Reading ${CELLS} cells`, parsed, '2');
  const applied = await measure(ROUNDS, [
    {
      name: 'read + JSON.parse + applyChanges',
      run: () =>
        timed(async () => {
          const bare = createStore();
          for (const [tables, values] of await read()) {
            bare.applyChanges([tables as {}, values as {}, 1]);
          }
          assert(bare.getRowCount('rows') === CELLS / 10, 'rows are missing');
        }),
    },
    {
      name: 'Room.start',
      run: () =>
        timed(async () => {
          const { room } = new MemoryRoom(storage);
          await room.start();
          assert(room.store.getRowCount('rows') === CELLS / 10, 'rows are missing');
        }),
    },
  ]);
  report(`A cold start with ${CELLS} cells`, applied, '2');
}

async function measureEdits(): Promise<void> {
  const storage = new MemoryStorage();
  await store(storage, JSON.stringify(contentOf(CELLS)));
  const room = new MemoryRoom(storage);
  await room.start();
  const { rows } = contentOf(10)[0];
  const cells = JSON.stringify(rows?.['row 0']);
  let number = 0;
  const figures = await measure(300, [
    {
      name: 'setting a row of ten cells',
      run: () => timed(() => room.push(`[{"rows":{"new ${(number += 1)}":${cells}}},{}]`)),
    },
    {
      name: 'deleting that row',
      run: () => timed(() => room.push(`[{},{},{"rows":["new ${number}"]}]`)),
    },
  ]);
  assert(room.room.store.getRowCount('rows') === CELLS / 10, 'rows are left');
  report(`One push to a room of ${CELLS} cells`, figures, '2');
}

async function measureRows(): Promise<void> {
  const storage = new MemoryStorage();
  await store(storage, '[{},{}]');
  const room = new MemoryRoom(storage);
  await room.start();
  const pushes = Array.from({ length: 1_000 }, (_item, index) => `[{"t":{"r":{"c":${index}}}},{}]`);
  storage.keysWritten = 0;
  for (const push of pushes) await room.push(push);
  console.log('\nKeys written');
  note(`for 1,000 pushes, one after the other: ${storage.keysWritten} (target: 1,000)`);
  assert(storage.keysWritten === 1_000, 'a commit is one row');
  storage.keysWritten = 0;
  await room.push(...pushes);
  note(`for 1,000 pushes at once: ${storage.keysWritten}`);
}

async function measureCheckpoint(): Promise<void> {
  const storage = new MemoryStorage();
  await store(storage, JSON.stringify(contentOf(MILLION)));
  const room = new MemoryRoom(storage);
  await room.start();
  const manifest = storage.values.get('@tinybase-partykit/manifest');
  const written = storage.keysWritten;
  // Every page changes, and the log gets as large as the snapshot.
  const text = 'x'.repeat(200);
  let row = 0;
  while (!isCheckpointing(storage)) {
    const rows = Array.from({ length: 100 }, () => {
      row = (row + 7_919) % (MILLION / 10);
      return `"row ${row}":{"cell 0":"${text}"}`;
    });
    await room.push(`[{"rows":{${rows.join(',')}}},{}]`);
    await new Promise((resolve) => setTimeout(resolve));
  }
  const pages = storage.keysWritten;
  const gaps: number[] = [];
  const worked: number[] = [];
  const start = performance.now();
  while (storage.values.get('@tinybase-partykit/manifest') === manifest) {
    const before = process.cpuUsage();
    gaps.push(await timed(() => new Promise((resolve) => setTimeout(resolve))));
    const { user, system } = process.cpuUsage(before);
    worked.push((user + system) / 1_000);
    assert(performance.now() - start < 120_000, 'the checkpoint does not end');
  }
  const sorted = gaps.toSorted((a, b) => b - a);
  const processor = worked.toSorted((a, b) => b - a);
  console.log(`\nA checkpoint of ${MILLION} cells, all pages of which have changed`);
  note(
    `took ${(performance.now() - start).toFixed(0)} ms, and wrote ${storage.keysWritten - pages} keys`,
  );
  note(`keys written in all: ${storage.keysWritten - written}`);
  note(
    `held the room for ${sorted[0]?.toFixed(1)} ms at most, then ${sorted[1]?.toFixed(1)} ms (target: 50)`,
  );
  note(
    `of processor time, all threads, a turn took ${processor[0]?.toFixed(1)} ms at most, then ${processor[1]?.toFixed(1)} ms`,
  );
  const loaded = await new RoomStorage(storage, { prefix: '' }).load();
  assert(
    loaded?.content.get('rows', `row ${row}`, 'cell 0') === text,
    'what was pushed is not there',
  );
  assert(loaded.content.count() === MILLION, 'cells are missing');
}

let keysBefore = 0;

/** True once a page is written that is not of the room's initial content. */
function isCheckpointing(storage: MemoryStorage): boolean {
  const blobs = [...storage.values.keys()].filter((key) => key.startsWith(BLOBS.start)).length;
  if (keysBefore === 0) keysBefore = blobs;
  return blobs > keysBefore;
}
