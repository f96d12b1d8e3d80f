import { execFile } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, expect, test } from 'vitest';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
/** Written against `tinybase` alone: it knows nothing of this package. */
const APP = fileURLToPath(new URL('app', import.meta.url));
/** Beside it, so that its other imports lead where they did; ignored by git. */
const CHANGED_APP = fileURLToPath(new URL('dist', import.meta.url));
const PATHS = {
  'tinybase/persisters/persister-partykit-client': 'src/client/index.ts',
  'tinybase/persisters/persister-partykit-server': 'src/server/index.ts',
};

afterAll(() => rmSync(CHANGED_APP, { recursive: true, force: true }));

interface Report {
  readonly numPassedTests: number;
  readonly numTotalTests: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly title: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** Runs the tests of an app, and gives what failed. */
const runTests = (folder: string): Promise<{ passed: number; failed: readonly string[] }> =>
  new Promise((resolve, reject) => {
    const command = [join(REPOSITORY, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder];
    const options = { cwd: folder, maxBuffer: 1024 ** 3 };
    execFile(process.execPath, [...command, '--reporter=json'], options, (_error, output, log) => {
      try {
        const report = JSON.parse(output.slice(output.indexOf('{'))) as Report;
        const results = report.testResults.flatMap(({ assertionResults }) => assertionResults);
        const failed = results.flatMap(({ title, failureMessages }) =>
          failureMessages.map((message) => `${title}: ${message}`),
        );
        resolve({ passed: report.numPassedTests, failed });
      } catch (error) {
        reject(new Error(`${output}\n${log}`, { cause: error }));
      }
    });
  });

const changePaths = (folder: string): void => {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) changePaths(path);
    else {
      let text = readFileSync(path, 'utf8');
      for (const [stock, ours] of Object.entries(PATHS))
        text = text.replaceAll(`'${stock}'`, `'${join(REPOSITORY, ours)}'`);
      writeFileSync(path, text);
    }
  }
};

test('an app that was written for TinyBase’s own pair passes its tests with it', async () => {
  const { passed, failed } = await runTests(APP);
  expect(failed).toEqual([]);
  expect(passed).toBe(10);
});

test('and it passes the same tests, unchanged, when its two import paths are changed to ours', async () => {
  cpSync(APP, CHANGED_APP, { recursive: true });
  changePaths(CHANGED_APP);
  const { passed, failed } = await runTests(CHANGED_APP);
  expect(failed).toEqual([]);
  expect(passed).toBe(10);
});
