import type { LoadedContent } from '../../../src/protocol/messages.ts';
import {
  applyChangesToLeaves,
  composeChanges,
  isEmptyChanges,
  type Changes,
} from '../../../src/protocol/changes.ts';
import { decodeContent, decodeWholePush, encodeContent } from '../../../src/protocol/codec.ts';
import type { Leaf } from '../../../src/protocol/leaf.ts';
import type { LeafMap } from '../../../src/protocol/leaf-map.ts';
import { PushAssembly } from '../../../src/server/room/push-assembly.ts';
import type { ClientMessage, RoomMessage } from '../../../src/protocol/messages.ts';

/** The least that is a room: one client, all in memory, answers at once. */
export class SmallRoom {
  content: LeafMap<Leaf> | undefined;
  readonly #log: Changes[] = [];
  readonly #assembly = new PushAssembly();
  readonly #dealtWith = new Map<string, number>();
  #client: { readonly id: string; readonly generation: number; expected: number } | undefined;
  readonly #send: (message: RoomMessage) => void;

  constructor(send: (message: RoomMessage) => void) {
    this.#send = send;
  }

  get cursor(): { epoch: string; version: number } {
    return { epoch: 'e', version: this.#log.length };
  }

  disconnected(): void {
    this.#client = undefined;
  }

  load(): LoadedContent {
    const text = this.content && encodeContent(this.content);
    return { cursor: this.cursor, content: text === undefined ? undefined : decodeContent(text) };
  }

  seed(content: LeafMap<Leaf>): void {
    if (this.content !== undefined) return;
    this.content = decodeContent(encodeContent(content));
    this.#log.push(composeChanges([]));
    if (this.#client !== undefined) this.#reload(this.#client.generation);
  }

  /** A commit of somebody else. */
  commit(changes: Changes): void {
    if (this.content === undefined || isEmptyChanges(changes)) return;
    this.#apply(changes);
    if (this.#client !== undefined)
      this.#send({ type: 'commit', version: this.#log.length, changes });
  }

  heard(message: ClientMessage): void {
    switch (message.type) {
      case 'hello': {
        const { clientId, generation, cursor, nextPush } = message;
        const lastPush = this.#dealtWith.get(clientId) ?? 0;
        this.#client = undefined;
        this.#assembly.clear();
        if (this.content === undefined || cursor === undefined) {
          this.#client = { id: clientId, generation, expected: 0 };
          this.#reload(generation);
          return;
        }
        this.#client = {
          id: clientId,
          generation,
          expected: Math.max(lastPush + 1, nextPush),
        };
        this.#send({
          type: 'welcome',
          generation,
          cursor: this.cursor,
          lastPush,
          limits: { framePushBytes: 60, pushBytes: 10_000 },
          changes: composeChanges(this.#log.slice(cursor.version)),
        });
        return;
      }
      case 'push': {
        const client = this.#client;
        if (client === undefined) return;
        if (message.number > client.expected || client.expected === 0) {
          this.#send({ type: 'error', code: 'stale', message: 'm' });
          return;
        }
        const isNew = message.number === client.expected;
        const isCommit = isNew && !isEmptyChanges(message.changes);
        if (isNew) {
          if (isCommit) this.#apply(message.changes);
          this.#dealtWith.set(client.id, client.expected++);
        }
        this.#send({
          type: 'ack',
          number: message.number,
          version: this.#log.length,
          isCommit,
          correction: undefined,
          reason: undefined,
        });
        return;
      }
      case 'part': {
        const { number } = message;
        if (!this.#assembly.take(message)) {
          this.#send({ type: 'error', code: 'stale', message: 'm' });
          return;
        }
        const json = this.#assembly.takeWhole();
        if (json !== undefined) this.heard(decodeWholePush(number, json));
        else this.#send({ type: 'receipt', number, offset: this.#assembly.held });
        return;
      }
      case 'ping':
      case 'check':
        this.#send({
          type: 'pong',
          version: this.#log.length,
          lastPush: this.#dealtWith.get(this.#client?.id ?? '') ?? 0,
        });
        return;
      case 'mark':
      case 'foreign-hello':
      case 'stock':
        throw new Error('nothing here is foreign or stock');
    }
  }

  #reload(generation: number): void {
    this.#send({
      type: 'welcome',
      generation,
      cursor: this.cursor,
      lastPush: 0,
      limits: { framePushBytes: 60, pushBytes: 10_000 },
      changes: undefined,
    });
  }

  #apply(changes: Changes): void {
    if (this.content !== undefined) applyChangesToLeaves(this.content, changes);
    this.#log.push(changes);
  }
}
