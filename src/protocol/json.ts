/** Takes JSON apart with checks: what has another shape than expected throws, and {@link decodeJson} gives that a code. */
import { TinyBasePartyKitError } from './errors.ts';

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
/** An object in JSON; read only. */
export interface JsonObject {
  readonly [id: string]: Json;
}
/** An object in JSON, under construction. */
export type MutableJsonObject = Record<string, Json>;

/** A shape is wrong. */
export class ShapeError extends Error {}

/**
 * Parses a text and makes something of it. Throws a {@link TinyBasePartyKitError} `malformed`, and nothing else. What is
 * wrong with a shape `faultOf` may say better than whoever came upon it.
 */
export function decodeJson<T>(
  what: string,
  text: string,
  fromJson: (json: Json | undefined) => T,
  faultOf?: (json: Json | undefined) => string | undefined,
): T {
  try {
    // JSON.parse returns any; the checks below are what makes a message of it.
    return fromJson(JSON.parse(text) as Json);
  } catch (error) {
    const isBadInput =
      error instanceof SyntaxError || error instanceof ShapeError || error instanceof RangeError;
    if (!isBadInput) throw error;
    const fault = error instanceof ShapeError ? faultOf?.(JSON.parse(text) as Json) : undefined;
    throw new TinyBasePartyKitError('malformed', `Not a valid ${what}: ${fault ?? error.message}`, {
      cause: error,
    });
  }
}

/** Without a prototype, `__proto__` is an id like any other; and keys that are never seen again cost engines less. */
export function emptyRecord<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}

export function emptyObject(): MutableJsonObject {
  return emptyRecord();
}

export function asObject(json: Json | undefined): JsonObject {
  if (!isObject(json)) throw new ShapeError('an object is missing');
  return json;
}

export function asArray(json: Json | undefined, fewest: number, most: number): readonly Json[] {
  if (!isArray(json) || json.length < fewest || json.length > most)
    throw new ShapeError('an array is missing');
  return json;
}

export function isArray(json: Json | undefined): json is readonly Json[] {
  return Array.isArray(json);
}

export function isObject(json: Json | undefined): json is JsonObject {
  return typeof json === 'object' && json !== null && !isArray(json);
}

export function asString(json: Json | undefined): string {
  if (typeof json !== 'string') throw new ShapeError('a string is missing');
  return json;
}

export function asMatch(json: Json | undefined, pattern: RegExp): string {
  const text = asString(json);
  if (!pattern.test(text)) throw new ShapeError('an id has the wrong form');
  return text;
}

export function asCount(json: Json | undefined): number {
  if (typeof json !== 'number' || !Number.isSafeInteger(json) || json < 0)
    throw new ShapeError('a count is missing');
  return json;
}
