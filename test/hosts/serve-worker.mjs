// Bundles a Worker and serves it by miniflare on the loopback interface, until it is killed.
// Usage: node serve-worker.mjs MODULE PORT FOLDER-OF-ITS-DATA BINDING=CLASS...
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';

const [module, port, folder, ...bindings] = process.argv.slice(2);
const {
  outputFiles: [{ text: script }],
} = await build({
  entryPoints: [module],
  bundle: true,
  write: false,
  format: 'esm',
  target: 'es2022',
  conditions: ['workerd', 'worker', 'browser'],
  external: ['cloudflare:*'],
  define: { TESTED_PAIR: '"ours"' },
  logLevel: 'warning',
});
const miniflare = new Miniflare({
  modules: true,
  script,
  host: '127.0.0.1',
  port: Number(port),
  cf: false,
  compatibilityDate: '2026-04-01',
  durableObjects: Object.fromEntries(
    bindings.map((binding) => {
      const [name, className] = binding.split('=');
      return [name, { className, useSQLite: true }];
    }),
  ),
  durableObjectsPersist: folder,
});
// It is never ready if something else listens on the port, and that would answer in its place.
await miniflare.ready;
process.stdout.write('The Worker is ready.\n');
