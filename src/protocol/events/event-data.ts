/**
 * Encodes what travels with an event or a call; undefined stays undefined. Throws a `TypeError` for a value that JSON does
 * not have: a function, a promise, a bigint, or an object that contains itself.
 */
export function encodeData(data: unknown): string | undefined {
  if (data === undefined) return undefined;
  // For a function, there is no JSON. That of a promise has nothing of what it resolves to.
  const json: string | undefined = JSON.stringify(data);
  if (json === undefined || data instanceof Promise)
    throw new TypeError('It is not JSON: send objects, arrays, texts, numbers, booleans or null.');
  return json;
}

/** The last part of a frame whose data is undefined: JSON has only null. */
export const NO_DATA = 1;

/** Encodes a name, the data that travels with it, and what comes last, if anything does. Throws as {@link encodeData}. */
export function encodeNamed(
  name: string,
  data: unknown,
  last: string | number | undefined,
): string {
  const json = encodeData(data);
  const first = JSON.stringify(name);
  if (last === undefined) return json === undefined ? `[${first}]` : `[${first},${json}]`;
  const more = JSON.stringify(last);
  return json === undefined ? `[${first},null,${more},${NO_DATA}]` : `[${first},${json},${more}]`;
}
