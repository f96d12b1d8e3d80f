import { expect, test } from 'vitest';

import { ObjectConnections } from '../../../src/server/hosts/object-connection.ts';
import type { HibernatingSocket } from '../../../src/server/hosts/object-context.ts';

/** A socket as the runtime has it: what is attached outlives whoever attached it. */
class FakeSocket implements HibernatingSocket {
  readonly readyState = 1;
  attachment: unknown;

  send(): void {}

  close(): void {}

  serializeAttachment(attachment: unknown): void {
    this.attachment = structuredClone(attachment);
  }

  deserializeAttachment(): unknown {
    return structuredClone(this.attachment);
  }
}

const URL_WITH_TOKEN = new URL('https://host/parties/main/room?_pk=me&token=secret');

test('a connection has the id that its client chose, and its URL without the token in it', () => {
  const socket = new FakeSocket();
  const connection = new ObjectConnections().connect(socket, URL_WITH_TOKEN);
  connection.setState({ some: 'state' });
  expect(connection.id).toBe('me');
  expect(connection.uri).toBe('https://host/parties/main/room');
  expect(JSON.stringify(socket.attachment)).not.toContain('secret');
});

test('a client that chose no id has one of its own', () => {
  const connections = new ObjectConnections();
  const url = new URL('https://host/parties/main/room');
  const [one, two] = [0, 1].map(() => connections.connect(new FakeSocket(), url).id);
  expect(one).not.toBe(two);
});

test('what a client chooses leaves room for states', () => {
  const socket = new FakeSocket();
  const url = new URL(`https://host/parties/main/${'p'.repeat(50_000)}?_pk=me`);
  new ObjectConnections().connect(socket, url).setState(null);
  expect(JSON.stringify(socket.attachment).length).toBeLessThan(5000);
});

test('[DURABLE-5] a connection is the same object while memory lasts, and has its state after that', () => {
  const socket = new FakeSocket();
  const connections = new ObjectConnections();
  const connection = connections.connect(socket, URL_WITH_TOKEN);
  connection.setState({ count: 1 });
  expect(connection.setState((state: { count: number }) => ({ count: state.count + 1 }))).toEqual({
    count: 2,
  });
  expect(connections.of(socket)).toBe(connection);

  const woken = new ObjectConnections().of(socket);
  expect(woken).not.toBe(connection);
  expect(woken).toMatchObject({ id: 'me', uri: connection.uri, state: { count: 2 } });
});

test('a state that is refused leaves the one before', () => {
  const socket = new FakeSocket();
  const connection = new ObjectConnections().connect(socket, URL_WITH_TOKEN);
  connection.setState('kept');
  expect(() => connection.setState({ not: () => 'cloneable' })).toThrow('could not be cloned');
  expect(connection.state).toBe('kept');
});

test.each([undefined, null, 'text', { id: 1, uri: '', state: null }, { id: '', uri: '' }])(
  'a socket with the attachment %j was accepted by somebody else',
  (attachment) => {
    const socket = new FakeSocket();
    socket.attachment = attachment;
    expect(new ObjectConnections().of(socket)).toBeUndefined();
  },
);
