import { defineConfig, type ViteUserConfig } from 'vitest/config';

const UNIT_TIMEOUT_MILLISECONDS = 30_000;
const MODEL_TIMEOUT_MILLISECONDS = 180_000;
const PROCESS_TIMEOUT_MILLISECONDS = 60_000;

/** A test that expects nothing fails. Not of tests with real processes, which wait for what should come. */
const EXPECT = { requireAssertions: true };

const config: ViteUserConfig = defineConfig({
  test: {
    // Real processes run beside the tests: more workers than this only make both slower.
    maxWorkers: 2,
    pool: 'forks',
    projects: [
      {
        test: {
          expect: EXPECT,
          name: 'unit',
          include: ['test/{protocol,client,server,backend,react,devtools}/**/*.test.ts'],
          // These are not run, but compiled: they fail where the compiler finds an error in them.
          typecheck: {
            enabled: true,
            ignoreSourceErrors: true,
            include: ['test/**/*.test-d.ts'],
          },
          testTimeout: UNIT_TIMEOUT_MILLISECONDS,
        },
      },
      {
        resolve: {
          alias: [
            {
              find: /^tinybase(\/store)?$/,
              replacement: `${import.meta.dirname}/test/stock/node_modules/tinybase-9$1/index.js`,
            },
          ],
        },
        test: {
          expect: EXPECT,
          name: 'oldest-tinybase',
          include: ['test/{protocol,client}/**/*.test.ts', 'test/server/room/room*.test.ts'],
          globalSetup: 'test/support/install-stock.ts',
          testTimeout: UNIT_TIMEOUT_MILLISECONDS,
        },
      },
      {
        test: {
          expect: EXPECT,
          name: 'types',
          include: ['test/types/**/*.test.ts'],
          globalSetup: 'test/support/install-stock.ts',
          testTimeout: PROCESS_TIMEOUT_MILLISECONDS,
        },
      },
      {
        test: {
          expect: EXPECT,
          name: 'model',
          include: ['test/model/**/*.test.ts'],
          testTimeout: MODEL_TIMEOUT_MILLISECONDS,
        },
      },
      {
        test: {
          expect: EXPECT,
          name: 'mutations',
          include: ['test/mutations/**/*.test.ts'],
          testTimeout: MODEL_TIMEOUT_MILLISECONDS,
          hookTimeout: PROCESS_TIMEOUT_MILLISECONDS,
        },
      },
      {
        test: {
          name: 'room',
          include: ['test/room/**/*.test.ts'],
          testTimeout: PROCESS_TIMEOUT_MILLISECONDS,
          hookTimeout: PROCESS_TIMEOUT_MILLISECONDS,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'fuzz',
          include: ['test/fuzz/**/*.test.ts'],
          testTimeout: PROCESS_TIMEOUT_MILLISECONDS,
          hookTimeout: PROCESS_TIMEOUT_MILLISECONDS,
          fileParallelism: false,
          sequence: { groupOrder: 4 },
        },
      },
      {
        test: {
          name: 'stock',
          include: ['test/stock/*.test.ts'],
          globalSetup: 'test/support/install-stock.ts',
          testTimeout: PROCESS_TIMEOUT_MILLISECONDS,
          hookTimeout: PROCESS_TIMEOUT_MILLISECONDS,
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'next',
          include: ['test/next/*.test.ts'],
          testTimeout: PROCESS_TIMEOUT_MILLISECONDS,
          hookTimeout: MODEL_TIMEOUT_MILLISECONDS,
          fileParallelism: false,
          sequence: { groupOrder: 5 },
        },
      },
      {
        test: {
          name: 'hosts',
          include: ['test/hosts/**/*.test.ts'],
          testTimeout: PROCESS_TIMEOUT_MILLISECONDS,
          hookTimeout: PROCESS_TIMEOUT_MILLISECONDS,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          testTimeout: PROCESS_TIMEOUT_MILLISECONDS,
          hookTimeout: PROCESS_TIMEOUT_MILLISECONDS,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});

export default config;
