import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { createVitest, type Vitest } from 'vitest/node';

import { mutate, ruleOf, type SourceMutation } from './source-mutation.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** The folders of the project "unit". */
const FOLDERS = ['backend', 'client', 'protocol', 'server'];
/** Some mutations make a test wait for what never comes. */
const TEST_TIMEOUT_MILLISECONDS = 8000;

/** The tests that failed, the errors that kept tests from running, and the files that have run. */
export interface Outcome {
  readonly failed: readonly string[];
  readonly errors: readonly string[];
  readonly files: readonly string[];
}

const NOTHING: Outcome = { failed: [], errors: [], files: [] };

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
        // One failure tells enough, and the others may each take as long as a test may.
        bail: 1,
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

  /** Runs the tests of the rule that a mutation breaks, file by file, until one fails. */
  async runWith(mutation: SourceMutation): Promise<Outcome> {
    const rule = ruleOf(mutation);
    const files = this.filesOf(rule);
    if (files.length === 0) throw new Error(`No unit test has [${rule}] in its title.`);
    this.#current.mutation = mutation;
    this.#vitest.invalidateFile(pathOf(mutation));
    try {
      for (const file of files) {
        const outcome = await this.run([file], [`[${rule}]`]);
        if (outcome.failed.length + outcome.errors.length > 0) return outcome;
      }
      return NOTHING;
    } finally {
      this.#current.mutation = undefined;
      this.#vitest.invalidateFile(pathOf(mutation));
    }
  }

  /** Returns the paths of the files that have tests of a rule, the shortest first. */
  filesOf(rule: string): readonly string[] {
    return [...this.#sources]
      .filter(([, source]) => source.includes(`[${rule}]`))
      .toSorted(([, one], [, other]) => one.length - other.length)
      .map(([path]) => path);
  }

  /** Runs the tests in these files whose titles have one of the texts. */
  async run(files: readonly string[], texts: readonly string[]): Promise<Outcome> {
    const project = this.#vitest.getRootProject();
    const specifications = files.map((file) => project.createSpecification(file));
    this.#vitest.setGlobalTestNamePattern(new RegExp(texts.map(escape).join('|')));
    const { exitCode } = process;
    const { testModules } = await this.#vitest.runTestSpecifications(specifications);
    // A failing test is no failure of the process that this runs in.
    process.exitCode = exitCode;
    // Vitest also gives what it has run before.
    const run = testModules.filter(({ moduleId }) => files.includes(moduleId));
    const tests = run.flatMap(({ children }) => [...children.allTests()]);
    return {
      failed: tests.filter((each) => each.result().state === 'failed').map(({ name }) => name),
      errors: run.flatMap((module) => module.errors().map(({ message }) => message)),
      files,
    };
  }

  async end(): Promise<void> {
    await this.#vitest.close();
  }
}

function pathOf({ file }: SourceMutation): string {
  return `${ROOT}src/${file}`;
}

/** Returns the source of a regular expression for a text. */
function escape(text: string): string {
  return text.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`);
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
