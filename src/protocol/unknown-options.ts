import { TinyBasePartyKitError } from './errors.ts';

/** Returns an error for options that are not in the table, which has every option that there is; undefined if all are. */
export function errorOfUnknownOptions(
  config: object,
  options: Readonly<Record<string, true>>,
  subject = 'The config',
): TinyBasePartyKitError | undefined {
  const unknown = Object.keys(config).filter((name) => !Object.hasOwn(options, name));
  if (unknown.length === 0) return undefined;
  const names = Object.keys(options);
  const described = unknown.map((name) => {
    const meant = names.find((option) => option.toLowerCase() === name.toLowerCase());
    return meant === undefined ? `"${name}"` : `"${name}" (did you mean "${meant}"?)`;
  });
  const message = `${subject} has options that do not exist: ${described.join(', ')}. There are: ${names.join(', ')}.`;
  return new TinyBasePartyKitError('misuse', message);
}
