import { asArray, decodeJson, ShapeError, type Json } from '../json.ts';

/** From the room: asks the client to send the same back when it has read so far. From the client: the answer (`FLOOD-7`). */
export interface Mark {
  readonly type: 'mark';
  /** Any text, so that nobody can answer without reading. */
  readonly text: string;
}

export const letter = 'k';

export function encode({ text }: Mark): string {
  return JSON.stringify([text]);
}

export function decode(json: string): Mark {
  return decodeJson('mark', json, jsonToMark);
}

function jsonToMark(json: Json | undefined): Mark {
  const [text] = asArray(json, 1, 1);
  if (typeof text !== 'string') throw new ShapeError('expected a text');
  return { type: 'mark', text };
}
