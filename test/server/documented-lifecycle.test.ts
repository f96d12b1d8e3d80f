import { readFile } from 'node:fs/promises';

import { expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);

test.each([
  ['saved-board.ts', 'test/room/fixtures/saved-board.ts'],
  ['database-service.ts', 'test/support/database-service.ts'],
])('the guide shows %s as the contract of hosts runs it', async (name, path) => {
  const guide = await readFile(new URL('docs/lifecycle.md', ROOT), 'utf8');
  const [, shown] = guide.split(`\`\`\`ts\n// ${name}\n`);
  const run = await readFile(new URL(path, ROOT), 'utf8');
  expect(shown?.split('```')[0]).toBe(
    run.replace('../../../src/server/index.ts', 'tinybase-partykit/server'),
  );
});
