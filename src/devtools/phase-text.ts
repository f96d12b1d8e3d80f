import type { Sync } from '../client/index.ts';

/** The colour of a state: all is well, something is on its way, or it needs somebody. */
export type Mood = 'good' | 'waiting' | 'bad';

/** Returns the phase as people read it. */
export function phaseText({ phase, code }: Sync): string {
  switch (phase) {
    case 'idle':
      return 'Not started';
    case 'loading':
      return 'Loading the content';
    case 'connecting':
      return 'Connecting';
    case 'catching-up':
      return 'Catching up';
    case 'live':
      return 'Live';
    case 'reduced':
      return 'On TinyBase’s own server';
    case 'empty':
      return 'In an empty room';
    case 'stopped':
      return `Stopped: ${code ?? 'unknown'}`;
  }
}

/** Returns the colour of a state. */
export function moodOf({ phase, unsaved, localOnly }: Sync): Mood {
  if (phase === 'stopped' || phase === 'reduced') return 'bad';
  return phase === 'live' && unsaved === 0 && localOnly === 0 ? 'good' : 'waiting';
}
