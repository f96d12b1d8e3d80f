import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of an app whose files are code of the documents, with this package as its sources are. */
export interface DocumentedApp {
  readonly folder: string;
  /** Writes a file; imports of this package lead to its sources. */
  readonly write: (path: string, code: string) => void;
  readonly remove: () => void;
}

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** Returns the one block of a document that has a text, such as its first line. */
export const blockWith = (document: string, text: string): string => {
  const found = readFileSync(join(REPOSITORY, document), 'utf8')
    .split(/^ *```/m)
    .filter((_block, position) => position % 2 === 1)
    .map((block) => block.replace(/^\w*\n/, ''))
    .filter((block) => block.includes(text));
  const [block] = found;
  if (block === undefined || found.length > 1)
    throw new Error(`${document} has ${found.length} blocks with ${JSON.stringify(text)}.`);
  return block;
};

/** Returns code whose imports of this package lead to its sources. */
const withSources = (code: string): string => {
  const { exports } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
    exports: Record<string, { default: string }>;
  };
  return code.replaceAll(/'tinybase-partykit(\/[\w/-]+)'/g, (_import, entry: string) => {
    const built = exports[`.${entry}`]?.default;
    if (built === undefined) throw new Error(`The package has no ${entry}.`);
    return `'${join(REPOSITORY, built.replace('./dist', 'src').replace(/\.js$/, '.ts'))}'`;
  });
};

/** Makes the folder of an app, within another one. Whoever makes it removes it. */
export const makeDocumentedApp = (parent: string = tmpdir()): DocumentedApp => {
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'documented-app-'));
  symlinkSync(join(REPOSITORY, 'node_modules'), join(folder, 'node_modules'));
  return {
    folder,
    write: (path, code) => {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), withSources(code));
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
};
