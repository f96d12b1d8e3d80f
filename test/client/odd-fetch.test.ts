import type PartySocket from 'partysocket';
import { createStore, type Content } from 'tinybase';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { createPartyKitPersister } from '../../src/client/index.ts';
import { FakePartySocket, roomOn } from './fake-party-socket.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

const used = async (): Promise<Response> => {
  const response = new Response('{"cursor":["e",1],"content":[{},{}]}');
  await response.text();
  return response;
};
const locked = (): Response => {
  const response = new Response('{"cursor":["e",1],"content":[{},{}]}');
  response.body?.getReader();
  return response;
};
const broken = (): Response =>
  new Response(
    new ReadableStream({
      pull: (controller) => controller.error(new TypeError('The connection was reset.')),
    }),
  );

/** Answers that an app's own fetch may give. */
const ODD: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  'a number': () => 200,
  'an empty object': () => ({}),
  'a status alone': () => ({ status: 200 }),
  'a status that is a text': () => ({ status: '200', text: async () => '' }),
  'a text that is none': () => ({ status: 200, text: async () => 5 }),
  'a text that throws': () => ({
    status: 200,
    text: () => {
      throw new Error('no text');
    },
  }),
  'a body that is none': () => ({ status: 200, body: {}, text: async () => '<p>' }),
  'a body of texts': () => ({
    status: 200,
    body: { getReader: () => ({ read: async () => ({ done: false, value: 'text' }) }) },
  }),
  'a body that was read': used,
  'a body that somebody reads': locked,
  'a body that breaks': broken,
  'an opaque answer': () => Response.error(),
  'a throw': () => {
    throw new Error('offline');
  },
  'a rejection without a reason': () => Promise.reject(undefined),
  'an error without a clone': () => ({ status: 500 }),
};

test.each(Object.keys(ODD))(
  'a fetch of the app that gives %s is told, asked again, and loses no edit',
  async (name) => {
    const socket = new FakePartySocket();
    socket.open();
    const { room, fetch: good } = roomOn(socket);
    let isOdd = true;
    const store = createStore();
    const errors: unknown[] = [];
    const persister = createPartyKitPersister(
      store,
      socket as unknown as PartySocket,
      {
        fetch: ((...asked: Parameters<typeof fetch>) =>
          isOdd ? ODD[name]?.() : good(...asked)) as typeof fetch,
      },
      (error: unknown) => errors.push(error),
    );
    const content: Content = [{}, { v: 1 }];
    void persister.startAutoPersisting(content);
    await vi.advanceTimersByTimeAsync(1_000);
    store.setValue('mine', 1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(errors.length).toBeGreaterThan(0);
    for (const error of errors) expect(error).toMatchObject({ code: 'network' });
    isOdd = false;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(persister.getSync()).toMatchObject({ phase: 'live', unsaved: 0, localOnly: 0 });
    expect(store.getValues()).toEqual({ v: 1, mine: 1 });
    expect(room.content?.count()).toBe(2);
    void persister.destroy();
    await vi.advanceTimersByTimeAsync(5_000);
  },
);
