// `npm run bench -- <name> [options]`: bundles bench/<name>.ts, because Node 20 runs no TypeScript, and runs it.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const [name = 'storage', ...parameters] = process.argv.slice(2);
const entry = `${here}${name}.ts`;
if (!existsSync(entry)) throw new Error(`There is no benchmark "${name}".`);
const servers = readdirSync(`${here}peers/servers`).map((file) => `${here}peers/servers/${file}`);
// A folder of its own: several may run.
const folder = `${here}.build-${process.pid}`;
await build({
  entryPoints: [entry, ...servers],
  outdir: folder,
  entryNames: '[name]',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  // A peer that is not installed may not keep the rest from running.
  splitting: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
  sourcemap: 'inline',
});
const bundle = `${folder}/${name}.mjs`;
process.argv = [process.argv[0] ?? 'node', bundle, ...parameters];
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
await import(bundle);
