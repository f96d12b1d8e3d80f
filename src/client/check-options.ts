import { assertOptions, type OptionKind } from '../protocol/option-kinds.ts';
import { errorOfUnknownOptions } from '../protocol/unknown-options.ts';
import { warn } from '../protocol/warn.ts';

type OnIgnoredError = ((error: unknown) => void) | undefined;

/** Throws `misuse` for an option with a wrong value, and reports those that do not exist. The table has every option that there is. */
export function checkOptions(
  caller: string,
  options: { readonly onIgnoredError?: OnIgnoredError },
  kinds: Readonly<Record<string, OptionKind>>,
): void {
  assertOptions(caller, options, kinds);
  tellUnknownOptions(caller, options, kinds, options.onIgnoredError);
}

/** Reports options that are not in the table, which has every option that there is. */
export function tellUnknownOptions(
  caller: string,
  config: object,
  kinds: Readonly<Record<string, OptionKind>>,
  onIgnoredError: OnIgnoredError,
): void {
  const error = errorOfUnknownOptions(config, kinds, `The object for ${caller}`);
  if (error !== undefined) (onIgnoredError ?? warn)(error);
}
