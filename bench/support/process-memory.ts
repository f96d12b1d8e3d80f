import { readdirSync, readFileSync } from 'node:fs';

interface ProcessState {
  readonly name: string;
  readonly parent: number;
}

/** The resident memory of all processes of that name that this one has started, or that those have. Linux only. */
export function memoryOfDescendants(name: string): string {
  try {
    const states = new Map<number, ProcessState>();
    for (const entry of readdirSync('/proc')) {
      if (/^\d+$/.test(entry)) states.set(Number(entry), stateOf(entry));
    }
    let kibibytes = 0;
    for (const [id, state] of states) {
      if (state.name === name && isDescendant(states, id)) kibibytes += residentOf(id);
    }
    return `${Math.round(kibibytes / 1024)} MiB resident`;
  } catch {
    return 'not measured';
  }
}

function stateOf(id: string): ProcessState {
  try {
    const [, name = '', parent] =
      /\((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${id}/stat`, 'utf8')) ?? [];
    return { name, parent: Number(parent) };
  } catch {
    // It has ended meanwhile.
    return { name: '', parent: 0 };
  }
}

function residentOf(id: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))?.[1] ?? 0);
}

function isDescendant(states: ReadonlyMap<number, ProcessState>, id: number): boolean {
  for (let at: number | undefined = id; at !== undefined && at > 1; at = states.get(at)?.parent) {
    if (at === process.pid) return true;
  }
  return false;
}
