import * as fc from 'fast-check';
import { expect } from 'vitest';

import type { KeyValueStorage } from '../../src/server/storage/key-value-storage.ts';
import { RoomStorage } from '../../src/server/storage/room-storage.ts';
import type { LoadedRoom } from '../../src/server/storage/stored-room.ts';
import type { StorageSizes } from '../../src/server/storage/storage-sizes.ts';
import { DyingStorage, type Death } from './dying-storage.ts';
import {
  anyTransaction,
  areSameLeaves,
  entryOf,
  type RoomModel,
  type Transaction,
} from './stored-room-model.ts';

const PREFIX = 'app:';

/** What a room does next with its storage: append a row, or something else. */
export type Step = readonly Transaction[] | 'checkpoint' | 'reload';

/** Any step. */
export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.array(anyTransaction, { minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.constantFrom('checkpoint' as const, 'reload' as const) },
);

/** A room's storage in a new process. */
export function open(
  storage: KeyValueStorage,
  prefix: string = PREFIX,
  sizes?: Partial<StorageSizes>,
): RoomStorage {
  return new RoomStorage(storage, { prefix, sizes });
}

/** Loads the room in a new process, and expects it to be the model. */
export async function reopen(
  storage: KeyValueStorage,
  model: RoomModel,
  prefix: string = PREFIX,
): Promise<RoomStorage> {
  const room = open(storage, prefix, model.sizes);
  expectModel(await room.load(), model);
  return room;
}

function expectModel(loaded: LoadedRoom | undefined, model: RoomModel): void {
  expect(loaded?.cursor).toEqual(model.room.cursor);
  if (loaded === undefined) return;
  expect(areSameLeaves(loaded.content, model.content)).toBe(true);
  expect(loaded.clients).toEqual(model.clients);
  const tail = model.log.slice(model.log.length - loaded.log.length);
  expect(loaded.log.map(entryOf)).toEqual(tail.map(entryOf));
}

/** Where {@link runToDeath} ends: with a room that was loaded and is the model. */
export interface End {
  readonly room: RoomStorage;
  readonly model: RoomModel;
  readonly hasDied: boolean;
}

/**
 * Creates a room, takes the steps, dies, and goes on in a new process from what is on disk: that must be the state
 * before the step in which it died, or after it. Takes the rest of the steps then.
 */
export async function runToDeath(
  disk: KeyValueStorage,
  death: Death,
  start: RoomModel,
  steps: readonly Step[],
): Promise<End> {
  const dying = new DyingStorage(disk, death);
  let room = open(dying, PREFIX, start.sizes);
  let before: RoomModel | undefined;
  let after = start;
  let taken = 0;
  try {
    await room.create(after.room);
    for (; taken < steps.length; taken += 1) {
      before = after;
      after = before.fork();
      room = await take(room, dying, after, steps[taken]);
    }
  } catch (error) {
    if (!dying.isDead) throw error;
  }
  room = open(disk, PREFIX, start.sizes);
  const loaded = await room.load();
  const isAfter = isAt(loaded, after);
  if (!dying.isDead) expect(isAfter).toBe(true);
  if (loaded === undefined) {
    expect(before).toBeUndefined();
    await room.create(after.room);
  }
  const model = isAfter ? after : (before ?? after);
  if (loaded !== undefined) expectModel(loaded, model);
  for (const step of steps.slice(taken + (isAfter ? 1 : 0))) {
    room = await take(room, disk, model, step);
  }
  return { room: await reopen(disk, model), model, hasDied: dying.isDead };
}

/** True if as much has happened in the room as in the model; some pushes make no commit. */
function isAt(loaded: LoadedRoom | undefined, model: RoomModel): boolean {
  return (
    loaded?.cursor.version === model.version && pushesOf(loaded.clients) === pushesOf(model.clients)
  );
}

function pushesOf(clients: LoadedRoom['clients']): number {
  return [...clients.values()].reduce((pushes, { lastPush }) => pushes + lastPush, 0);
}

async function take(
  room: RoomStorage,
  storage: KeyValueStorage,
  model: RoomModel,
  step: Step | undefined,
): Promise<RoomStorage> {
  if (step === 'reload') return await reopen(storage, model);
  if (step === 'checkpoint') await room.checkpoint(model.source);
  else await room.append(model.commit(step ?? []), 0);
  return room;
}
