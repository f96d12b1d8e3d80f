import { errorOfUnknownOptions } from '../protocol/unknown-options.ts';

/** Reports options that are not in the table, which has every option that there is. */
export function tellUnknownOptions(
  config: object,
  options: Readonly<Record<string, true>>,
  onIgnoredError: ((error: unknown) => void) | undefined,
): void {
  const error = errorOfUnknownOptions(config, options);
  if (error === undefined) return;
  // oxlint-disable-next-line no-console -- A mistake in the code, which has to be seen.
  if (onIgnoredError === undefined) console.warn(error);
  else onIgnoredError(error);
}
