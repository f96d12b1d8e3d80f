import { isPlain } from './option-kinds.ts';
import { errorOfUnknownOptions } from './unknown-options.ts';

/**
 * Throws a `TypeError` for options that are no object, or of which one does not exist: with a wrong name, a rule would not hold.
 * The table has every option that there is.
 */
export function assertKnownOptions(
  caller: string,
  options: unknown,
  table: Readonly<Record<string, true>>,
): void {
  if (!isPlain(options)) throw new TypeError(`${caller} got no object with options: give it one.`);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const unknown = errorOfUnknownOptions(
    Object.fromEntries(given),
    table,
    `The object for ${caller}`,
  );
  if (unknown !== undefined) throw new TypeError(unknown.message);
}
