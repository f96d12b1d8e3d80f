import type { SchemaIssue, SchemaResult, StandardSchema } from '../../protocol/standard-schema.ts';
import type { MaybePromise } from '../room/maybe-promise.ts';

/** Describes a value as a schema sees it. */
export type Validation<Output> =
  | { readonly type: 'valid'; readonly value: Output }
  /** `paths` names the parts that do not fit, for a message. It quotes no value. */
  | { readonly type: 'invalid'; readonly paths: string };

/** The most paths that a message lists. */
const MOST_PATHS = 5;
const LONGEST_PATH = 60;

/** Asks a schema about a value: within the call, unless the schema is async. Throws, or rejects with, what the schema throws. */
export function validate<Output>(
  schema: StandardSchema<unknown, Output>,
  value: unknown,
): MaybePromise<Validation<Output>> {
  const result = schema['~standard'].validate(value);
  return result instanceof Promise ? result.then(validationOf) : validationOf(result);
}

function validationOf<Output>(result: SchemaResult<Output>): Validation<Output> {
  return result.issues === undefined
    ? { type: 'valid', value: result.value }
    : { type: 'invalid', paths: pathsOf(result.issues) };
}

function pathsOf(issues: readonly SchemaIssue[]): string {
  const paths = new Set<string>();
  for (const { path = [] } of issues) {
    const keys = path.map((step) => String(typeof step === 'object' ? step.key : step));
    const text = keys.length === 0 ? 'the whole of it' : keys.join('.');
    paths.add(text.length > LONGEST_PATH ? `${text.slice(0, LONGEST_PATH)}…` : text);
  }
  const shown = [...paths].slice(0, MOST_PATHS);
  return (shown.length < paths.size ? [...shown, '…'] : shown).join(', ');
}
