/** The table of the core's messages from a room. Each is defined in a module of its own. */
import { encodeFrame, readFrame } from '../frame.ts';
import * as ack from './ack.ts';
import * as commit from './commit.ts';
import * as error from './error.ts';
import * as mark from './mark.ts';
import * as pong from './pong.ts';
import * as part from './push-part.ts';
import * as stock from './stock.ts';
import * as welcome from './welcome.ts';

/** Any message of the core from a room. */
export type RoomMessage =
  | welcome.Welcome
  | commit.Commit
  | ack.Ack
  | part.PartReceipt
  | pong.Pong
  | pong.Alive
  | error.ErrorMessage
  | mark.Mark
  | stock.StockChanges;

/** The letters of these messages. */
export const ROOM_LETTERS: readonly string[] = [
  welcome.letter,
  commit.letter,
  ack.letter,
  part.letter,
  pong.letter,
  error.letter,
  mark.letter,
  stock.letter,
];

/** Encodes the frame of a message from a room. */
export function encodeRoomMessage(prefix: string, message: RoomMessage): string {
  switch (message.type) {
    case 'welcome':
      return encodeFrame(prefix, welcome.letter, welcome.encode(message));
    case 'commit':
      return encodeFrame(prefix, commit.letter, commit.encode(message));
    case 'ack':
      return encodeFrame(prefix, ack.letter, ack.encode(message));
    case 'receipt':
      return encodeFrame(prefix, part.letter, part.encodeReceipt(message));
    case 'pong':
    case 'alive':
      return encodeFrame(prefix, pong.letter, pong.encode(message));
    case 'error':
      return encodeFrame(prefix, error.letter, error.encode(message));
    case 'mark':
      return encodeFrame(prefix, mark.letter, mark.encode(message));
    case 'stock':
      return encodeFrame(prefix, stock.letter, stock.encode(message));
  }
}

/** Decodes a frame from a room, as `decodeClientMessage` does for the other direction. */
export function decodeRoomMessage(prefix: string, data: unknown): RoomMessage | undefined {
  const frame = readFrame(prefix, data);
  switch (frame?.letter) {
    case welcome.letter:
      return welcome.decode(frame.json);
    case commit.letter:
      return commit.decode(frame.json);
    case ack.letter:
      return ack.decode(frame.json);
    case part.letter:
      return part.decodeReceipt(frame.json);
    case pong.letter:
      return pong.decode(frame.json);
    case error.letter:
      return error.decode(frame.json);
    case mark.letter:
      return mark.decode(frame.json);
    case stock.letter:
      return stock.decode(frame.json);
    default:
      return undefined;
  }
}
