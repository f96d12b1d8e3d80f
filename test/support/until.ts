import { setTimeout as wait } from 'node:timers/promises';

/** How {@link until} polls. */
export interface UntilOptions {
  /** How long to go on asking, 10,000 by default. */
  readonly deadlineMilliseconds?: number;
  /** How long to wait between two questions, 20 by default. */
  readonly intervalMilliseconds?: number;
}

/**
 * Asks again and again until the answer is truthy, and gives that answer.
 *
 * A question that throws is asked again, too. When the deadline has passed, throws an error which
 * says what was waited for, and what the last answer or error was.
 *
 * @param what completes the sentence "Waited for …".
 */
export const until = async <Answer>(
  what: string,
  ask: () => Answer | Promise<Answer>,
  options: UntilOptions = {},
): Promise<NonNullable<Exclude<Answer, false | 0 | ''>>> => {
  const { deadlineMilliseconds = 10_000, intervalMilliseconds = 20 } = options;
  const start = performance.now();
  for (;;) {
    let last: unknown;
    try {
      const answer = await ask();
      if (answer) {
        return answer as NonNullable<Exclude<Answer, false | 0 | ''>>;
      }
      last = answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() - start > deadlineMilliseconds) {
      throw new Error(
        `Waited for ${what} in vain, ${deadlineMilliseconds} ms long. Last: ${describe(last)}`,
        { cause: last },
      );
    }
    await wait(intervalMilliseconds);
  }
};

const describe = (last: unknown): string =>
  last instanceof Error ? last.message : (JSON.stringify(last) ?? String(last));
