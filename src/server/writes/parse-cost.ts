import { LEAF_BYTES } from '../../protocol/leaf.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';

/**
 * Throws `too-large`, before a text is parsed, if its ids would take more memory than the content of the room may (`LIMIT-1`). Arrays
 * and objects count like ids: parsed, a few megabytes of empty ones take twenty times that. `name` begins the message.
 */
export function assertFewThings(name: string, json: string, contentBytes: number): void {
  // At least every third id is that of a Cell or Value.
  const leaves = Math.floor(Math.max(countIds(json), countBrackets(json)) / 3);
  if (leaves * LEAF_BYTES <= contentBytes) return;
  const message = `${name} has as many ids, arrays or objects as ${leaves} Cells and Values, which is over limits.contentBytes of the room: make it smaller, or raise the limit.`;
  throw new TinyBasePartyKitError('too-large', message);
}

/** Returns the number of ids in the JSON of content: of tables, rows, Cells and Values. */
function countIds(json: string): number {
  let count = 0;
  for (let at = json.indexOf(':'); at >= 0; at = json.indexOf(':', at + 1)) {
    let end = at - 1;
    while (isBlank(json[end])) end -= 1;
    if (json[end] !== '"') continue;
    let backslashes = 0;
    while (json[end - 1 - backslashes] === '\\') backslashes += 1;
    // Within a text, a quote has a backslash before it.
    if (backslashes % 2 === 0) count += 1;
  }
  return count;
}

/** True for a character that JSON allows between an id and its colon (RFC 8259, section 2). */
function isBlank(character: string | undefined): boolean {
  return character === ' ' || character === '\n' || character === '\r' || character === '\t';
}

/** Returns the highest possible number of arrays and objects in a JSON. Brackets in its texts count, too: a Cell may be an object. */
function countBrackets(json: string): number {
  let count = 0;
  for (const bracket of ['[', '{'])
    for (let at = json.indexOf(bracket); at >= 0; at = json.indexOf(bracket, at + 1)) count += 1;
  return count;
}
