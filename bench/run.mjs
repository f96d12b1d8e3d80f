// `npm run bench -- <name> [options]`: bundles bench/<name>.ts, because Node 20 runs no TypeScript, and runs it.
import { existsSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const [name = 'storage', ...parameters] = process.argv.slice(2);
const entry = `${here}${name}.ts`;
if (!existsSync(entry)) throw new Error(`There is no benchmark "${name}".`);
const bundle = `${here}.build/${name}.mjs`;
await build({
  entryPoints: [entry],
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
});
process.argv = [process.argv[0] ?? 'node', bundle, ...parameters];
process.on('exit', () => rmSync(bundle, { force: true }));
await import(bundle);
