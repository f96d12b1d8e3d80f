import type { SchemaIssue, StandardSchema } from '../../protocol/standard-schema.ts';

/** Describes a value as a schema sees it. */
export type Validation<Output> =
  | { readonly type: 'valid'; readonly value: Output }
  /** `paths` names the parts that do not fit, for a message. It quotes no value. */
  | { readonly type: 'invalid'; readonly paths: string };

/** The most paths that a message lists. */
const MOST_PATHS = 5;
const LONGEST_PATH = 60;

/** Asks a schema about a value. Rejects with what the schema throws. */
export async function validate<Output>(
  schema: StandardSchema<unknown, Output>,
  value: unknown,
): Promise<Validation<Output>> {
  const result = await schema['~standard'].validate(value);
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
