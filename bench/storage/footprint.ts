import { spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

import { contentOf } from '../support/content.ts';
import { assert, note } from '../support/measure.ts';
import { MemoryRoom, store } from '../support/memory-room.ts';
import { MemoryStorage } from '../support/memory-storage.ts';

const MEBIBYTE = 1024 * 1024;
/** Longer than a room keeps the content serialised, as it does when `MemoryRoom.start` has asked for it. */
const REST_MILLISECONDS = 3_000;

/** What memory rooms take, each in a process of its own. */
export async function measureFootprint(): Promise<void> {
  console.log('\nMemory of a room, its storage not counted');
  for (const cells of [10_000, 100_000, 1_000_000]) {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--expose-gc', process.argv[1] ?? '', `--footprint=${cells}`],
      { encoding: 'utf8' },
    );
    assert(status === 0, stderr);
    note(`${String(cells).padStart(9)} cells: ${stdout.trim()}`);
  }
}

/** Prints what a room of so many cells takes, for {@link measureFootprint}. */
export async function printFootprint(cells: number): Promise<void> {
  const storage = new MemoryStorage();
  await store(storage, JSON.stringify(contentOf(cells)));
  const before = heap();
  const room = new MemoryRoom(storage);
  let peak = 0;
  await room.start();
  peak = process.memoryUsage().heapUsed - before;
  await delay(REST_MILLISECONDS);
  const at = heap() - before;
  const { json } = await room.room.content();
  const serving = process.memoryUsage().heapUsed - before;
  console.log(
    `${(storage.bytes / MEBIBYTE).toFixed(1)} MiB stored, ${(at / MEBIBYTE).toFixed(1)} MiB of heap at rest, ` +
      `${(peak / MEBIBYTE).toFixed(1)} right after loading with garbage, ${(serving / MEBIBYTE).toFixed(1)} right after serving ` +
      `${((json?.length ?? 0) / MEBIBYTE).toFixed(1)} Mi characters`,
  );
}

function heap(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
