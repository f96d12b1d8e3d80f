import { isErrorCode, type ErrorCode } from '../errors.ts';
import { asObject, decodeJson, ShapeError, type Json } from '../json.ts';
import { asPushNumber } from './push.ts';

/** An error of the room. Its code tells if the client may try again, see `ERRORS`. */
export interface ErrorMessage {
  readonly type: 'error';
  readonly code: ErrorCode;
  /** A text for people: what happened, to what, and what to do. One that is decoded has at most 2,000 characters. */
  readonly message: string;
  /** The number of the push that it is about, if the room could read it. */
  readonly push?: number;
}

export const letter = 'e';

/** The part that is taken of the text of an error: apps show it and write it to their consoles. No half of a surrogate pair. */
const TAKEN = /^(.{2000}).*/su;

export function encode({ code, message, push }: ErrorMessage): string {
  // JSON.stringify leaves out what is undefined.
  return JSON.stringify({ code, message, push });
}

export function decode(json: string): ErrorMessage {
  return decodeJson('error', json, jsonToError);
}

/** Reads the JSON that {@link encode} writes. Throws a `ShapeError` for anything else. */
export function jsonToError(json: Json | undefined): ErrorMessage {
  const { code, message, push } = asObject(json);
  if (!isErrorCode(code) || typeof message !== 'string')
    throw new ShapeError('expected a code and a message');
  return {
    type: 'error',
    code,
    message: cutMessage(message),
    ...(push !== undefined && { push: asPushNumber(push) }),
  };
}

/** Returns the part of an error's text that is taken (`FRAME-6`). */
export function cutMessage(message: string): string {
  return message.replace(TAKEN, '$1');
}
