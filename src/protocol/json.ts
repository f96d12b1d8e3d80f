/** Reads JSON with checks. An unexpected shape throws a {@link ShapeError}; {@link decodeJson} makes it `malformed`. */
import { TinyBasePartyKitError } from './errors.ts';
import { isDeeperThan } from './json-depth.ts';

/** Any JSON. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
/** A JSON object, read only. */
export interface JsonObject {
  readonly [id: string]: Json;
}
/** A JSON object under construction. */
export type MutableJsonObject = Record<string, Json>;

/** The error for JSON of an unexpected shape. It never leaves {@link decodeJson}. */
export class ShapeError extends Error {}

/** A valid text has fewer levels: a leaf and everything around it. Parsing a text with very many takes too much memory. */
export const DEEPEST_JSON_LEVEL = 256;

/**
 * Parses a text and decodes it with `fromJson`. Throws a {@link TinyBasePartyKitError} `malformed`, and nothing else. After
 * a {@link ShapeError}, `describeInvalid` may describe the fault better than that error does.
 */
export function decodeJson<T>(
  name: string,
  text: string,
  fromJson: (json: Json | undefined) => T,
  describeInvalid?: (json: Json | undefined) => string | undefined,
): T {
  try {
    if (text.length > 2 * DEEPEST_JSON_LEVEL && isDeeperThan(text, DEEPEST_JSON_LEVEL))
      throw new ShapeError(`it is nested more than ${DEEPEST_JSON_LEVEL} levels deep`);
    // JSON.parse returns any; `fromJson` checks it.
    return fromJson(JSON.parse(text) as Json);
  } catch (error) {
    const isBadInput =
      error instanceof SyntaxError || error instanceof ShapeError || error instanceof RangeError;
    if (!isBadInput) throw error;
    const isParsed = error instanceof ShapeError && !isDeeperThan(text, DEEPEST_JSON_LEVEL);
    const description = isParsed ? describeInvalid?.(JSON.parse(text) as Json) : undefined;
    throw new TinyBasePartyKitError(
      'malformed',
      `Invalid ${name}: ${description ?? error.message}`,
      {
        cause: error,
      },
    );
  }
}

/**
 * Returns an object without a prototype: `__proto__` is an ordinary id in it. Engines also spend less on keys that are used
 * only once.
 */
export function emptyRecord<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}

export function asObject(json: Json | undefined): JsonObject {
  if (!isObject(json)) throw new ShapeError('expected an object');
  return json;
}

export function asArray(json: Json | undefined, fewest: number, most: number): readonly Json[] {
  if (!isArray(json) || json.length < fewest || json.length > most)
    throw new ShapeError('expected an array');
  return json;
}

export function isArray(json: Json | undefined): json is readonly Json[] {
  return Array.isArray(json);
}

export function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !isArray(json);
}

export function asString(json: Json | undefined): string {
  if (typeof json !== 'string') throw new ShapeError('expected a string');
  return json;
}

export function asMatch(json: Json | undefined, pattern: RegExp): string {
  const text = asString(json);
  if (!pattern.test(text)) throw new ShapeError('expected an id');
  return text;
}

export function asCount(json: Json | undefined): number {
  if (typeof json !== 'number' || !Number.isSafeInteger(json) || json < 0)
    throw new ShapeError('expected a whole number');
  return json;
}
