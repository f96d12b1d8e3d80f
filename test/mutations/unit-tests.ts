import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { createVitest, type Vitest } from 'vitest/node';

import { mutate, ruleOf, type SourceMutation } from './source-mutation.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The folders of the project "unit". */
const FOLDERS = ['backend', 'client', 'protocol', 'server'];
const TEST_TIMEOUT_MILLISECONDS = 30_000;

/** The names of the tests that ran, and what kept tests from running. */
export interface Outcome {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  readonly errors: readonly string[];
}

/** The unit tests, run by a Vitest of their own on sources that a mutation changes. */
export class UnitTests {
  readonly #vitest: Vitest;
  readonly #sources: ReadonlyMap<string, string>;
  readonly #current: { mutation: SourceMutation | undefined };

  private constructor(
    vitest: Vitest,
    sources: ReadonlyMap<string, string>,
    current: { mutation: SourceMutation | undefined },
  ) {
    this.#vitest = vitest;
    this.#sources = sources;
    this.#current = current;
  }

  static async start(): Promise<UnitTests> {
    const current: { mutation: SourceMutation | undefined } = { mutation: undefined };
    const vitest = await createVitest(
      'test',
      {
        config: false,
        root: ROOT,
        watch: false,
        cache: false,
        include: FOLDERS.map((folder) => `test/${folder}/**/*.test.ts`),
        reporters: [{}],
        pool: 'threads',
        maxWorkers: 1,
        expect: { requireAssertions: true },
        testTimeout: TEST_TIMEOUT_MILLISECONDS,
      },
      {
        plugins: [
          {
            name: 'mutation',
            enforce: 'pre',
            transform: (code, id) => {
              const { mutation } = current;
              return mutation !== undefined && id === pathOf(mutation)
                ? mutate(code, mutation)
                : undefined;
            },
          },
        ],
      },
    );
    return new UnitTests(vitest, await readTests(), current);
  }

  /** Runs the tests of the rule that a mutation breaks. */
  async runWith(mutation: SourceMutation): Promise<Outcome> {
    this.#current.mutation = mutation;
    this.#vitest.invalidateFile(pathOf(mutation));
    try {
      return await this.run([ruleOf(mutation)]);
    } finally {
      this.#current.mutation = undefined;
      this.#vitest.invalidateFile(pathOf(mutation));
    }
  }

  /** Runs the tests whose titles have one of the rules. */
  async run(rules: readonly string[]): Promise<Outcome> {
    const marks = rules.map((rule) => `[${rule}]`);
    const project = this.#vitest.getRootProject();
    const specifications = [...this.#sources]
      .filter(([, source]) => marks.some((mark) => source.includes(mark)))
      .map(([path]) => project.createSpecification(path));
    if (specifications.length === 0) throw new Error(`No unit test has ${marks.join(', ')}.`);
    this.#vitest.setGlobalTestNamePattern(
      new RegExp(rules.map((rule) => String.raw`\[${rule}\]`).join('|')),
    );
    const { exitCode } = process;
    const { testModules } = await this.#vitest.runTestSpecifications(specifications);
    // A failing test is no failure of the process that this runs in.
    process.exitCode = exitCode;
    const paths = new Set(specifications.map(({ moduleId }) => moduleId));
    // Vitest also gives what it has run before.
    const run = testModules.filter(({ moduleId }) => paths.has(moduleId));
    const tests = run.flatMap(({ children }) => [...children.allTests()]);
    const namesOf = (state: 'passed' | 'failed'): readonly string[] =>
      tests.filter((test) => test.result().state === state).map(({ name }) => name);
    return {
      passed: namesOf('passed'),
      failed: namesOf('failed'),
      errors: run.flatMap((module) => module.errors().map(({ message }) => message)),
    };
  }

  async end(): Promise<void> {
    await this.#vitest.close();
  }
}

function pathOf({ file }: SourceMutation): string {
  return `${ROOT}src/${file}`;
}

/** Returns the source of each test file, by its path. */
async function readTests(): Promise<ReadonlyMap<string, string>> {
  const sources = new Map<string, string>();
  for (const folder of FOLDERS) {
    const names = await readdir(`${ROOT}test/${folder}`, { recursive: true });
    for (const name of names.filter((each) => each.endsWith('.test.ts'))) {
      const path = `${ROOT}test/${folder}/${name}`;
      sources.set(path, await readFile(path, 'utf8'));
    }
  }
  return sources;
}
