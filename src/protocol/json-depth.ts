/** Handles JSON of any depth. No function here needs more stack for more levels. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** True if objects and arrays are nested more than that many levels in a JSON text, valid or not. */
export function isDeeperThan(json: string, levels: number): boolean {
  let depth = 0;
  for (let index = 0; index < json.length; index += 1) {
    const code = json.charCodeAt(index);
    if (code === QUOTE) index = endOfString(json, index);
    else if (code === OPEN_BRACKET || code === OPEN_BRACE) {
      depth += 1;
      if (depth > levels) return true;
    } else if (code === CLOSE_BRACKET || code === CLOSE_BRACE) depth -= 1;
  }
  return false;
}

/** Returns the index of the quote that ends the string which begins there. Most of a text is strings: a native search skips them. */
function endOfString(json: string, start: number): number {
  let end = json.indexOf('"', start + 1);
  while (end >= 0) {
    let escape = end;
    while (escape > start + 1 && json.charCodeAt(escape - 1) === BACKSLASH) escape -= 1;
    if ((end - escape) % 2 === 0) return end;
    end = json.indexOf('"', end + 1);
  }
  return json.length;
}

/** Does the same as `JSON.stringify`, which throws a RangeError for too many levels. This is only slower. */
export function stringifyAnyDepth(json: object): string {
  try {
    return JSON.stringify(json);
  } catch (error) {
    if (error instanceof RangeError) return stringifyDeep(json);
    throw error;
  }
}

/** An object or array that is being written. */
interface Level {
  readonly source: object;
  readonly entries: Iterator<readonly [string, unknown]>;
  readonly isArray: boolean;
  isFirst: boolean;
}

function stringifyDeep(root: object): string {
  const parts: string[] = [];
  const levels: Level[] = [];
  const above = new Set<object>();
  const open = (source: object): void => {
    if (above.has(source))
      throw new TypeError('The object contains itself: a Cell or Value cannot hold it.');
    const isArray = Array.isArray(source);
    above.add(source);
    levels.push({ source, entries: Object.entries(source).values(), isArray, isFirst: true });
    parts.push(isArray ? '[' : '{');
  };
  open(root);
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const next = level.entries.next();
    if (next.done === true) {
      parts.push(level.isArray ? ']' : '}');
      above.delete(level.source);
      levels.pop();
      continue;
    }
    const [key, item] = next.value;
    const isNested = typeof item === 'object' && item !== null;
    const text: unknown = isNested ? '' : JSON.stringify(item);
    if (typeof text !== 'string' && !level.isArray) continue;
    if (!level.isFirst) parts.push(',');
    level.isFirst = false;
    if (!level.isArray) parts.push(JSON.stringify(key), ':');
    if (isNested) open(item);
    else parts.push(typeof text === 'string' ? text : 'null');
  }
  return parts.join('');
}
