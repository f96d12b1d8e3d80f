/** The table of the core's messages from a client. Each is defined in a module of its own. */
import { encodeFrame, readFrame } from '../frame.ts';
import * as hello from './hello.ts';
import * as mark from './mark.ts';
import * as ping from './ping.ts';
import * as push from './push.ts';
import * as part from './push-part.ts';
import * as stock from './stock.ts';

/** Any message of the core from a client. */
export type ClientMessage =
  | hello.Hello
  | hello.ForeignHello
  | push.Push
  | part.PushPart
  | ping.Ping
  | ping.Check
  | mark.Mark
  | stock.StockChanges;

/** Those that this package sends. */
export type SentMessage = Exclude<ClientMessage, hello.ForeignHello>;

/** The letters of these messages. */
export const CLIENT_LETTERS: readonly string[] = [
  hello.letter,
  push.letter,
  part.letter,
  ping.letter,
  mark.letter,
  stock.letter,
];

/** Encodes the frame of a message from a client. */
export function encodeClientMessage(prefix: string, message: SentMessage): string {
  switch (message.type) {
    case 'hello':
      return encodeFrame(prefix, hello.letter, hello.encode(message));
    case 'push':
      return encodeFrame(prefix, push.letter, push.encode(message));
    case 'part':
      return encodeFrame(prefix, part.letter, part.encode(message));
    case 'ping':
    case 'check':
      return encodeFrame(prefix, ping.letter, ping.encode(message));
    case 'mark':
      return encodeFrame(prefix, mark.letter, mark.encode(message));
    case 'stock':
      return encodeFrame(prefix, stock.letter, stock.encode(message));
  }
}

/**
 * Decodes a frame from a client. Returns undefined for a frame that is none of these messages: binary data, another
 * prefix or another letter. Throws a `TinyBasePartyKitError` `malformed` for a frame with a letter of ours and invalid JSON.
 */
export function decodeClientMessage(prefix: string, data: unknown): ClientMessage | undefined {
  const frame = readFrame(prefix, data);
  switch (frame?.letter) {
    case hello.letter:
      return hello.decode(frame.json);
    case push.letter:
      return push.decode(frame.json);
    case part.letter:
      return part.decode(frame.json);
    case ping.letter:
      return ping.decode(frame.json);
    case mark.letter:
      return mark.decode(frame.json);
    case stock.letter:
      return stock.decodeFromClient(frame.json);
    default:
      return undefined;
  }
}
