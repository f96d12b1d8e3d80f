import { readFrame } from '../protocol/frame.ts';
import { letter as EVENT } from '../protocol/events/event-from-client.ts';
import { letter as ACK } from '../protocol/messages/ack.ts';
import { letter as COMMIT } from '../protocol/messages/commit.ts';
import { letter as ERROR } from '../protocol/messages/error.ts';
import { letter as HELLO } from '../protocol/messages/hello.ts';
import { letter as MARK } from '../protocol/messages/mark.ts';
import { letter as PING } from '../protocol/messages/ping.ts';
import { letter as PONG } from '../protocol/messages/pong.ts';
import { letter as PUSH } from '../protocol/messages/push.ts';
import { letter as PART } from '../protocol/messages/push-part.ts';
import { letter as STOCK } from '../protocol/messages/stock.ts';
import { letter as WELCOME } from '../protocol/messages/welcome.ts';
import { letter as PRESENCE } from '../protocol/presence/presence-from-client.ts';

/** The side that sent a frame: this page, or the room. */
export type Direction = 'sent' | 'received';

/** A message of a frame, read as far as a person wants to know: its changes are not parsed. */
export type ReadMessage =
  | { readonly type: 'push'; readonly number: number }
  | { readonly type: 'ack'; readonly number: number; readonly version: number }
  | { readonly type: 'commit'; readonly version: number }
  /** `isReload`: the room asks the client to load the content over HTTP. */
  | { readonly type: 'welcome'; readonly version: number; readonly isReload: boolean }
  | { readonly type: 'pong'; readonly version: number }
  | { readonly type: 'error'; readonly code: string }
  | { readonly type: 'part' | 'receipt'; readonly number: number }
  | { readonly type: 'hello' | 'ping' | 'alive' | 'mark' | 'presence' | 'event' | 'stock changes' }
  /** A message of the app's own, or one that does not decode. */
  | { readonly type: 'other' };

/** The beginning of a message has all numbers that are read, also where an epoch is long. */
const BEGINNING_LENGTH = 1_000;

/** Reads a message, which may be one of several in a frame. */
export function readMessage(prefix: string, direction: Direction, text: string): ReadMessage {
  const frame = readFrame(prefix, text);
  const beginning = frame?.json.slice(0, BEGINNING_LENGTH) ?? '';
  const [, first, second] = /^\[(\d+)(?:,(\d+))?/.exec(beginning) ?? [];
  const [number, next] = [Number(first), Number(second)];
  const isNumbered = first !== undefined;
  switch (frame !== undefined && /^[[{]/.test(beginning) ? frame.letter : undefined) {
    case PUSH:
      return isNumbered ? { type: 'push', number } : { type: 'other' };
    case ACK:
      return second === undefined ? { type: 'other' } : { type: 'ack', number, version: next };
    case COMMIT:
      return isNumbered ? { type: 'commit', version: number } : { type: 'other' };
    case WELCOME: {
      const [, version] = /"cursor":\["(?:[^"\\]|\\.)*",(\d+)/.exec(beginning) ?? [];
      const isReload = /"changes":null(?:,"setBack":1)?\}$/.test(text.slice(-BEGINNING_LENGTH));
      return version === undefined
        ? { type: 'other' }
        : { type: 'welcome', version: Number(version), isReload };
    }
    case PONG:
      return isNumbered ? { type: 'pong', version: number } : { type: 'alive' };
    case ERROR: {
      const [, code] = /"code":"([\w-]+)"/.exec(beginning) ?? [];
      return code === undefined ? { type: 'other' } : { type: 'error', code };
    }
    case PART:
      return isNumbered
        ? { type: direction === 'sent' ? 'part' : 'receipt', number }
        : { type: 'other' };
    case HELLO:
      return { type: 'hello' };
    case PING:
      return { type: 'ping' };
    case MARK:
      return { type: 'mark' };
    case PRESENCE:
      return { type: 'presence' };
    case EVENT:
      return { type: 'event' };
    case STOCK:
      return { type: 'stock changes' };
    default:
      return { type: 'other' };
  }
}

/** Returns a message in a few words. */
export function describeMessage(message: ReadMessage): string {
  switch (message.type) {
    case 'push':
    case 'part':
    case 'receipt':
      return `${message.type} ${message.number}`;
    case 'ack':
      return `ack ${message.number}, version ${message.version}`;
    case 'commit':
      return `commit ${message.version}`;
    case 'welcome':
      return message.isReload ? 'reload' : `welcome, version ${message.version}`;
    case 'pong':
      return `pong, version ${message.version}`;
    case 'error':
      return `error ${message.code}`;
    case 'other':
      return 'of the app';
    case 'hello':
    case 'ping':
    case 'alive':
    case 'mark':
    case 'presence':
    case 'event':
    case 'stock changes':
      return message.type;
  }
}
