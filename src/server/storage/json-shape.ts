/** Checks of values that JSON.parse or a host's storage returned. */

/** True for a whole number from 0 on. */
export function isCount(candidate: unknown): candidate is number {
  return typeof candidate === 'number' && Number.isSafeInteger(candidate) && candidate >= 0;
}

/** True for an array. */
export function isList(candidate: unknown): candidate is readonly unknown[] {
  return Array.isArray(candidate);
}

/** True for an object or an array. */
export function isRecord(candidate: unknown): candidate is Readonly<Record<string, unknown>> {
  return typeof candidate === 'object' && candidate !== null;
}
