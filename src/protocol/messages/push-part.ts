import { TinyBasePartyKitError } from '../errors.ts';
import { readFrame } from '../frame.ts';
import { asArray, asCount, asString, decodeJson, ShapeError, type Json } from '../json.ts';
import { asPushNumber, decode as decodePush, letter as PUSH_LETTER, type Push } from './push.ts';

/** A part of a push that is too large for one frame (PART-1). */
export interface PushPart {
  readonly type: 'part';
  /** The number of the push. */
  readonly number: number;
  /** The length of all earlier parts, in characters. */
  readonly offset: number;
  /** The length of the whole push, in characters. */
  readonly length: number;
  /** The part itself, of the JSON of the push. At least one character. */
  readonly text: string;
}

/** The answer to each part but the last. */
export interface PartReceipt {
  readonly type: 'receipt';
  readonly number: number;
  /** The length that the room holds of that push, in characters. */
  readonly offset: number;
}

/** The largest safe integer has this many digits. */
const MOST_DIGITS = 16;
const BEGINNING = /^\[(\d+),/;

/** The most parts that a client sends ahead of their receipts. */
export const MOST_PARTS_AHEAD = 4;

/** The letter of both. */
export const letter = 'm';

export function encode({ number, offset, length, text }: PushPart): string {
  return `[${number},${offset},${length},${JSON.stringify(text)}]`;
}

/** Takes a part only as {@link encode} writes it: its weight was told from its text, and other escapes would hide ids from that. */
export function decode(json: string): PushPart {
  return decodeJson('part of a push', json, (parsed) => {
    const part = jsonToPart(parsed);
    if (encode(part) === json) return part;
    throw new ShapeError('it has blanks or escapes that JSON.stringify does not write');
  });
}

export function encodeReceipt({ number, offset }: PartReceipt): string {
  return `[${number},${offset}]`;
}

export function decodeReceipt(json: string): PartReceipt {
  return decodeJson('receipt', json, (parsed) => {
    const [number, offset] = asArray(parsed, 2, 2);
    return { type: 'receipt', number: asPushNumber(number), offset: asCount(offset) };
  });
}

/** Decodes a push whose parts have all come. Throws `malformed` also if it is another push than its parts said. */
export function decodeWholePush(number: number, json: string): Push {
  const push = decodePush(json);
  if (push.number === number) return push;
  throw new TinyBasePartyKitError('malformed', 'Invalid push: its parts have another number.');
}

/** Returns the number of a push, or part, that does not decode, if it begins like one; undefined for any other frame. */
export function decodePushNumber(prefix: string, data: unknown): number | undefined {
  const frame = readFrame(prefix, data);
  if (frame?.letter !== PUSH_LETTER && frame?.letter !== letter) return undefined;
  const [, digits] = BEGINNING.exec(frame.json.slice(0, MOST_DIGITS + 2)) ?? [];
  const number = Number(digits);
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}

function jsonToPart(json: Json | undefined): PushPart {
  const [number, offset, length, text] = asArray(json, 4, 4);
  const part = {
    type: 'part',
    number: asPushNumber(number),
    offset: asCount(offset),
    length: asCount(length),
    text: asString(text),
  } as const;
  if (part.text === '' || part.offset + part.text.length > part.length)
    throw new ShapeError('the part is empty, or reaches beyond the end of the push');
  return part;
}
