/** A plausible mistake: a rule, and a text of `src/` that breaks it. */
export interface SourceMutation {
  /** Begins with the id of the rule that does not hold. */
  readonly title: string;
  /** The file, in `src/`. */
  readonly file: string;
  /** A text that the file has exactly once. */
  readonly text: string;
  readonly replacement: string;
}

/** Returns the id of the rule that a mutation breaks. */
export function ruleOf({ title }: SourceMutation): string {
  const [, rule] = /^\[([A-Z]+-\d+)\] /.exec(title) ?? [];
  if (rule === undefined) throw new Error(`"${title}" does not begin with the id of a rule.`);
  return rule;
}

/** Returns a source as the mutation has it. Throws if the text is not there exactly once. */
export function mutate(source: string, { title, file, text, replacement }: SourceMutation): string {
  const parts = source.split(text);
  if (parts.length === 2) return parts.join(replacement);
  throw new Error(`src/${file} has the text of "${title}" ${parts.length - 1} times.`);
}
