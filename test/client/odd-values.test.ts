import type PartySocket from 'partysocket';
import { createStore, type Content } from 'tinybase';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { createEvents } from '../../src/client/features/events/index.ts';
import { createUndo } from '../../src/client/features/undo/index.ts';
import { createPartyKitPersister } from '../../src/client/index.ts';
import { FakePartySocket, roomOn } from './fake-party-socket.ts';

afterEach(() => vi.unstubAllGlobals());

const untyped = (value: unknown): never => value as never;
const socket = (): PartySocket => new FakePartySocket() as unknown as PartySocket;

describe('no initial content, as code like `isNew && content` gives it', () => {
  test.each<unknown>([false, 0, NaN, '', null, undefined])('%o', async (content) => {
    const open = new FakePartySocket();
    open.readyState = 1;
    vi.stubGlobal('fetch', roomOn(open).fetch);
    const errors: unknown[] = [];
    const store = createStore();
    const persister = createPartyKitPersister(store, untyped(open), {}, (error) =>
      errors.push(error),
    );
    await persister.startAutoPersisting(content as Content);
    expect([persister.getSync().phase, errors]).toEqual(['live', []]);
    await persister.destroy();
  });
});

describe('a listener that is no function is an error at once, which says so', () => {
  const persister = createPartyKitPersister(createStore(), socket());
  const events = createEvents(socket());
  const undo = createUndo(persister);

  test.each<readonly [string, (listener: never) => unknown]>([
    ['addStatusListener', (listener) => persister.addStatusListener(listener)],
    ['addSyncListener', (listener) => persister.addSyncListener(listener)],
    ['addRefusalListener', (listener) => persister.addRefusalListener(listener)],
    ['addListener', (listener) => events.addListener('waved', listener)],
    ['addCheckpointIdsListener', (listener) => undo.addCheckpointIdsListener(listener)],
    ['addCheckpointListener', (listener) => undo.addCheckpointListener(null, listener)],
  ])('%s', (_name, add) => {
    for (const listener of [undefined, null, 5, 'text', {}, Promise.resolve()])
      expect(() => add(untyped(listener))).toThrow(
        expect.objectContaining({
          code: 'misuse',
          message: 'addListener got no function.',
        }),
      );
  });
});
