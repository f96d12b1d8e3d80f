import type { SchemaIssue, SchemaResult, StandardSchema } from '../../protocol/standard-schema.ts';
import { isThenable, type MaybePromise } from '../room/maybe-promise.ts';

/** Describes a value as a schema sees it. */
export type Validation<Output> =
  | { readonly type: 'valid'; readonly value: Output }
  /** `paths` names the parts that do not fit, for a message. It quotes no value. */
  | {
      readonly type: 'invalid';
      readonly paths: string;
      /** A further sentence with the schema's own message. It may quote the value, so it is for its author alone. */
      readonly reason: string;
    };

/** The most paths that a message lists. */
const MOST_PATHS = 5;
const LONGEST_PATH = 60;
const LONGEST_REASON = 200;

/**
 * Asks a schema about a value: within the call, unless the schema is async. Throws, or rejects with, what the schema throws,
 * and a `TypeError` if it answers neither with a value nor with issues.
 */
export function validate<Output>(
  schema: StandardSchema<unknown, Output>,
  value: unknown,
): MaybePromise<Validation<Output>> {
  const result = schema['~standard'].validate(value);
  return isThenable(result) ? Promise.resolve(result).then(validationOf) : validationOf(result);
}

/** Throws unless a schema has answered with a value or with issues: anything else would count as a valid `undefined`. */
export function assertResult(result: SchemaResult<unknown>): void {
  const answer: unknown = result;
  const isAnswer = typeof answer === 'object' && answer !== null;
  if (
    isAnswer &&
    ('issues' in answer && answer.issues !== undefined
      ? Array.isArray(answer.issues)
      : 'value' in answer)
  )
    return;
  throw new TypeError(
    'The schema answered with neither a value nor issues: give the room a Standard Schema.',
  );
}

function validationOf<Output>(result: SchemaResult<Output>): Validation<Output> {
  assertResult(result);
  return result.issues === undefined
    ? { type: 'valid', value: result.value }
    : { type: 'invalid', paths: pathsOf(result.issues), reason: reasonOf(result.issues) };
}

/** Returns a sentence with the first line of the first issue's message; an empty text if it has none. */
export function reasonOf([issue]: readonly SchemaIssue[]): string {
  const message: unknown = issue?.message;
  if (typeof message !== 'string') return '';
  // No further lines: a schema that takes the text of an error for its message may have a stack there.
  const [line = ''] = message.trim().split(/[\r\n]/, 1);
  const text = line.length > LONGEST_REASON ? `${line.slice(0, LONGEST_REASON)}…` : line;
  return text === '' ? '' : ` The schema says: ${text}`;
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
