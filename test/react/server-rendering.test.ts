import { createElement, type ReactNode } from 'react';
import { renderToString } from 'react-dom/server';
import { createStore } from 'tinybase';
import { useRowIds } from 'tinybase/ui-react';
import { expect, test } from 'vitest';
import { createClient } from '../../src/client/room/index.ts';
import {
  createRoomHooks,
  usePartyKitPersister,
  useRefusalListener,
  useSync,
  useUndo,
} from '../../src/react/index.ts';

const never = (): never => {
  throw new Error('A server opens no socket.');
};
const client = createClient({ createStore, host: 'localhost:1999', WebSocket: never });
const { RoomProvider, useRoom, useEvent } = createRoomHooks(client);

function InRoom(): ReactNode {
  useEvent('waved', never);
  return [useRoom().id, ...useRowIds('connections', 'presence')];
}

const store = createStore();

test.each<readonly [string, string, () => unknown]>([
  ['useSync', 'persister', () => useSync(null as never)],
  ['useSync', 'persister', () => useSync({} as never)],
  ['useUndo', 'persister', () => useUndo(null as never)],
  ['useRefusalListener', 'persister', () => useRefusalListener(null as never, never)],
  ['useRefusalListener', 'listener', () => useRefusalListener(undefined, undefined as never)],
  ['useEvent', 'listener', () => useEvent('waved', undefined as never)],
])('%s without a %s is told as such', (hook, what, use) => {
  const Wrong = (): ReactNode => String(use());
  expect(() => renderToString(createElement(Wrong))).toThrow(
    new RegExp(`${hook} got no .*${what}`),
  );
});

function Watched(): ReactNode {
  useRefusalListener({ addRefusalListener: never, delListener: never }, never);
  return 'watched';
}

test('a hook takes every object with the part of a persister that it uses', () => {
  expect(renderToString(createElement(Watched))).toBe('watched');
});

function Stored(): ReactNode {
  const persister = usePartyKitPersister(store, never, []);
  useRefusalListener(persister, never);
  const { canUndo, canRedo } = useUndo(persister);
  return `${typeof persister}, ${useSync(persister).phase}, ${canUndo}, ${canRedo}`;
}

function Careless(): ReactNode {
  usePartyKitPersister(store, never, undefined as never);
  return null;
}

test('a server renders the fallback of a provider, and makes no room', () => {
  const provider = createElement(
    RoomProvider,
    { id: 'rendered', fallback: 'One moment …' },
    createElement(InRoom),
  );
  expect(renderToString(provider)).toBe('One moment …');
  expect(client.getRooms()).toEqual([]);
});

test('a server renders nothing for a provider without a fallback', () => {
  expect(renderToString(createElement(RoomProvider, { id: 'rendered' }))).toBe('');
});

test('a server renders a component with a persister as one that has not started', () => {
  expect(renderToString(createElement(Stored))).toBe('undefined, idle, false, false');
});

test('a component outside of a provider is told what to do', () => {
  expect(() => renderToString(createElement(InRoom))).toThrow('within a RoomProvider');
});

test('a provider without an id renders its fallback on a server', () => {
  const provider = createElement(RoomProvider, { id: undefined as never, fallback: 'Which?' });
  expect(renderToString(provider)).toBe('Which?');
});

test('a persister without dependencies, which would be made at each render, is told in a sentence', () => {
  expect(() => renderToString(createElement(Careless))).toThrow(
    'usePartyKitPersister got no list of dependencies.',
  );
});
