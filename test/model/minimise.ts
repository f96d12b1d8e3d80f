import { liveThrough, type HistoryOutcome, type HistoryPlan } from './history.ts';
import type { Mutant } from './mutant.ts';

/** What makes two failures the same one, for the purpose of finding a shorter way to it. */
export function kindOf(failure: Error | undefined): string {
  return (failure?.message ?? '')
    .replaceAll(/\d+/g, 'N')
    .replaceAll(/['"[{].*/g, '')
    .slice(0, 60);
}

/** Leaves out as many steps of a failing history as it can do without. Takes some hundred histories. */
export async function minimise(
  plan: HistoryPlan,
  makeMutant: () => Mutant | undefined = () => undefined,
): Promise<{ readonly plan: HistoryPlan; readonly outcome: HistoryOutcome }> {
  let outcome = await liveThrough(plan, makeMutant());
  const kind = kindOf(outcome.failure);
  let skipped = new Set<number>(plan.skipped);
  for (let size = Math.ceil(plan.length / 2); size >= 1;) {
    let isShorter = false;
    for (let from = 0; from < plan.length; from += size) {
      const chunk = Array.from({ length: Math.min(size, plan.length - from) }, (_, i) => from + i);
      const candidate = new Set([...skipped, ...chunk]);
      if (candidate.size === skipped.size) continue;
      const attempt = await liveThrough({ ...plan, skipped: candidate }, makeMutant());
      if (attempt.failure === undefined || kindOf(attempt.failure) !== kind) continue;
      skipped = candidate;
      outcome = attempt;
      isShorter = true;
    }
    if (size > 1 || !isShorter) size = size === 1 ? 0 : Math.ceil(size / 2);
  }
  return { plan: { ...plan, skipped }, outcome };
}
