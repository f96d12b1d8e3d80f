import { TinyBasePartyKitError } from './errors.ts';

/** Returns an error for options that are not in the table, which has every option that there is; undefined if all are. */
export function errorOfUnknownOptions(
  config: object,
  options: Readonly<Record<string, unknown>>,
  subject = 'The config',
): TinyBasePartyKitError | undefined {
  const names = Object.keys(options);
  const unknown = Object.keys(config)
    .filter((name) => !names.includes(name))
    .map((name) => {
      const meant = names.find((option) => option.toLowerCase() === name.toLowerCase());
      return `"${name}"${meant === undefined ? '' : ` (did you mean "${meant}"?)`}`;
    });
  if (unknown.length === 0) return undefined;
  const message = `${subject} has options that do not exist: ${unknown.join(', ')}. There are: ${names.join(', ')}.`;
  return new TinyBasePartyKitError('misuse', message);
}
