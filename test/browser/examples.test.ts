import { execFile } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { launchBrowser, openPage } from '../support/browser.ts';
import { packPackage, type PackedPackage } from '../support/packed-package.ts';
import { startServerProcess } from '../support/server-process.ts';
import { until } from '../support/until.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url));
const DEPENDENCIES = [
  ...['tinybase', 'partykit', 'partysocket', 'jose', 'idb', 'zod', 'vite'],
  ...['react', 'react-dom', '@types/react', '@types/react-dom'],
];

let packed: PackedPackage;
let browser: Browser;

beforeAll(async () => {
  packed = await packPackage([...DEPENDENCIES, 'typescript']);
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  packed?.remove();
});

test.each(['vite', 'react'])(
  'examples/%s compiles, and two windows show the same',
  async (name) => {
    const folder = join(packed.folder, name);
    const bin = (path: string): string => join(packed.folder, 'node_modules', path);
    cpSync(join(EXAMPLES, name), folder, {
      recursive: true,
      filter: (path) => !/node_modules|dist|\.partykit\//.test(path.slice(EXAMPLES.length)),
    });
    await promisify(execFile)(process.execPath, [bin('typescript/bin/tsc')], { cwd: folder });

    const room = await startServerProcess({
      name: `the room of examples/${name}`,
      command: (port, persistPath) => [
        ...[bin('partykit/dist/bin.mjs'), 'dev', `--port=${port}`, `--persist=${persistPath}`],
        ...['--disable-request-cf-fetch', '--no-hotkeys'],
      ],
      workingFolder: folder,
    });
    process.env['ROOM_PORT'] = String(room.port);
    const page = await startServerProcess({
      name: `the page of examples/${name}`,
      command: (port) => [
        ...[bin('vite/bin/vite.js'), `--port=${port}`, '--strictPort', '--host=127.0.0.1'],
      ],
      workingFolder: folder,
    });
    try {
      // A route for tokens (`onFetch`) is at the room's server, and not a page of Vite.
      const [atPage, atRoom] = await Promise.all(
        [page, room].map(async ({ origin }) => {
          const response = await fetch(`${origin}/api/token?room=my-board`);
          return [response.status, await response.text()];
        }),
      );
      expect(atPage).toEqual(atRoom);
      const [first, second] = [
        await openPage(browser, `${page.origin}/?name=Ada`),
        await openPage(browser, `${page.origin}/?name=Bob`),
      ];
      for (const { page: window } of [first, second])
        await until('the window to be live', async () =>
          (await window.getByRole('status').textContent())?.startsWith('live'),
        );
      await first.page.getByLabel('Note').fill('Buy bread');
      await first.page.getByRole('button', { name: 'Add' }).click();
      await until('the note in the other window', () =>
        second.page.getByText('Buy bread').isVisible(),
      );
      if (name === 'react')
        await until('both people', async () =>
          /^(?:AdaBob|BobAda)$/.test((await first.page.getByLabel('Here').textContent()) ?? ''),
        );
      // Vite writes into the folder when it starts, which makes `partykit dev` start again: then the page connects again.
      const problems = [...first.problems(), ...second.problems()].filter(
        (problem) => !/ 502 |^WebSocket connection to /.test(problem),
      );
      expect(problems).toEqual([]);
      await first.page.close();
      await second.page.close();
    } finally {
      await page.stop();
      await room.stop();
    }
  },
);
