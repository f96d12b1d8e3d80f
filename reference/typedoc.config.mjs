import { readFileSync } from 'node:fs';

const { exports } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

/** The source of each entry point of the package, by the name in an import. */
export const ENTRY_POINTS = Object.fromEntries(
  Object.entries(exports)
    .filter(([, target]) => typeof target === 'object')
    .map(([name, { types }]) => [
      name.slice(2),
      types.replace('./dist/', '../src/').replace(/\.d\.ts$/, '.ts'),
    ]),
);

/** @type {Partial<import('typedoc').TypeDocOptions>} */
export default {
  name: 'tinybase-partykit',
  entryPoints: Object.values(ENTRY_POINTS),
  readme: '../README.md',
  // The search of the site finds the guides as well.
  projectDocuments: ['../docs/*.md'],
  searchInDocuments: true,
  tsconfig: 'tsconfig.json',
  plugin: ['./entry-points.mjs'],
  out: 'site',
  excludePrivate: true,
  excludeExternals: true,
  disableSources: true,
  hideGenerator: true,
  // Types that a signature names may stay internal. Exports without a comment are found by the plugin.
  validation: { notExported: false, invalidLink: true, notDocumented: false },
  treatWarningsAsErrors: true,
};
