import { liveThrough } from './history.ts';
import { MUTATIONS } from './mutations/mutations.ts';
import { Patches } from './patches.ts';
const only = process.argv[2] ?? '';
const most = Number(process.argv[3] ?? 100);
for (const mutation of MUTATIONS) {
  if (!mutation.title.includes(only)) continue;
  const start = performance.now();
  const patches = new Patches();
  mutation.patch?.(patches);
  let found = 'SURVIVED';
  let seed = 1;
  for (; seed <= most; seed += 1) {
    const { failure } = await liveThrough({ seed, length: 200 }, mutation.make?.());
    if (failure !== undefined) {
      found = String(failure instanceof Error ? failure.message : failure).slice(0, 110);
      break;
    }
  }
  patches.undo();
  const traits = mutation.make?.().traits;
  const control = await liveThrough({ seed, length: 200 }, traits === undefined ? {} : { traits });
  if (control.failure !== undefined) found += ' BUT ALSO WITH THE RULE';
  console.log(`${String(seed).padStart(4)} ${String(Math.round(performance.now() - start)).padStart(6)} ms  ${mutation.title}\n            ${found}`);
}
