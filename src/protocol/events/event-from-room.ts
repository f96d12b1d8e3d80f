/** The messages of a room with events: events, and the ends of calls. */
import type { ErrorCode } from '../errors.ts';
import { asArray, asCount, asString, decodeJson, ShapeError, type Json } from '../json.ts';
import { jsonToError } from '../messages/error.ts';
import { encodeData, encodeNamed, NO_DATA } from './event-data.ts';

/** An event. */
interface RoomEvent {
  readonly type: 'event';
  readonly name: string;
  /** Any JSON, or undefined. */
  readonly data: unknown;
  /** The connection id of the client whose call caused it; undefined if the room's own code sent it. */
  readonly from: string | undefined;
}

/** The end of a call that succeeded. */
interface CallResult {
  readonly type: 'result';
  readonly id: number;
  /** Any JSON, or undefined. */
  readonly result: unknown;
}

/** The end of a call that failed. */
interface CallFailure {
  readonly type: 'failure';
  readonly id: number;
  readonly error: CallError;
}

/** The error of a call, as it travels. */
export interface CallError {
  readonly code: ErrorCode;
  readonly message: string;
}

export type EventFromRoom = RoomEvent | CallResult | CallFailure;

export const letter = 'v';

/** Throws a `TypeError` if the data or the result is not JSON. */
export function encode(message: EventFromRoom): string {
  switch (message.type) {
    case 'event':
      return encodeNamed(message.name, message.data, message.from);
    case 'result': {
      const result = encodeData(message.result);
      return result === undefined ? `[${message.id}]` : `[${message.id},${result}]`;
    }
    case 'failure': {
      const { code, message: text } = message.error;
      return `[${message.id},null,${JSON.stringify({ code, message: text })}]`;
    }
  }
}

export function decode(json: string): EventFromRoom {
  return decodeJson('event', json, jsonToEvent);
}

function jsonToEvent(json: Json | undefined): EventFromRoom {
  const [first, second, third, mark] = asArray(json, 1, 4);
  if (typeof first !== 'string') {
    if (mark !== undefined) throw new ShapeError('expected the end of a call');
    const id = asCount(first);
    return third === undefined
      ? { type: 'result', id, result: second }
      : { type: 'failure', id, error: jsonToError(third) };
  }
  if (mark !== undefined && mark !== NO_DATA)
    throw new ShapeError('expected an event, or 1 after the event for no data');
  return {
    type: 'event',
    name: first,
    data: mark === undefined ? second : undefined,
    from: third === undefined ? undefined : asString(third),
  };
}
