import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

import { blockWith } from '../support/documented-app.ts';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

const foldersIn = (folder: string): readonly string[] =>
  readdirSync(`${REPOSITORY}${folder}`, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${folder}${name}/`);

test('docs/design.md draws every folder of the sources, and the folders in those of both sides', () => {
  let parent = '';
  const drawn = [...blockWith('docs/design.md', 'src/protocol/').matchAll(/^( *)(\S+\/) /gm)].map(
    ([, indent = '', path = '']) => {
      if (indent !== '') return `${parent}${path}`;
      parent = path;
      return path;
    },
  );
  expect(drawn.toSorted()).toEqual(
    ['src/', 'src/server/', 'src/client/'].flatMap(foldersIn).toSorted(),
  );
});
