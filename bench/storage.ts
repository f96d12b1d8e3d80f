/** `npm run bench -- storage [--only memory,checkpoint,footprint,dev,million]`: what storage costs. docs/storage.md has the figures. */
import { parseArgs } from 'node:util';

import { measureDev } from './storage/dev.ts';
import { measureFootprint, printFootprint } from './storage/footprint.ts';
import { measureInMemory } from './storage/in-memory.ts';
import { measureMillion } from './storage/million.ts';

const PARTS = ['memory', 'checkpoint', 'footprint', 'dev', 'latency', 'million'];

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'memory,checkpoint,footprint,dev,million' },
    /** Used by this script itself, in a process of its own: prints the footprint of a room of so many cells. */
    footprint: { type: 'string' },
  },
});

if (values.footprint === undefined) {
  const wanted = values.only.split(',');
  for (const part of wanted)
    if (!PARTS.includes(part)) throw new Error(`There is no part "${part}".`);
  if (wanted.includes('memory')) await measureInMemory(['load', 'edits', 'rows']);
  if (wanted.includes('checkpoint')) await measureInMemory(['checkpoint']);
  if (wanted.includes('footprint')) await measureFootprint();
  if (wanted.includes('dev')) await measureDev(['latency', 'bursts', 'get']);
  if (wanted.includes('latency')) await measureDev(['latency']);
  if (wanted.includes('million')) await measureMillion();
} else await printFootprint(Number(values.footprint));
process.exit(0);
