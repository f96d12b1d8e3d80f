import { fork } from 'node:child_process';

/** Some seeds of many, one after the other. */
interface Range {
  readonly first: number;
  readonly end: number;
}

/** The report of a worker about one history. */
interface Told {
  readonly seed: number;
  readonly failure?: string;
}

export interface FuzzRun {
  readonly first: number;
  readonly histories: number;
  readonly workers: number;
  /** Lives through the history of that seed; resolves to what is to be told of it if it fails. */
  readonly live: (seed: number) => Promise<string | undefined>;
  readonly print: (text: string) => void;
}

const HISTORIES_A_TURN = 25;
const HISTORIES_A_REPORT = 1000;

/** Lives through many histories in several processes, each of which runs this same program. True if all of them hold. */
export async function runWorkers(run: FuzzRun): Promise<boolean> {
  if (process.send !== undefined) {
    work(run);
    return true;
  }
  return await new FuzzReport(run).run();
}

/** Does what it is asked to until nobody asks any more. */
function work({ live }: FuzzRun): void {
  process.on('message', (range: Range) => {
    void (async () => {
      for (let seed = range.first; seed < range.end; seed += 1) {
        const failure = await live(seed);
        process.send?.({ seed, ...(failure !== undefined && { failure }) } satisfies Told);
      }
    })();
  });
}

class FuzzReport {
  readonly #run: FuzzRun;
  readonly #failing: number[] = [];
  /** The histories that processes left undone when they ended. */
  readonly #left: Range[] = [];
  readonly #start = performance.now();
  readonly #triedAgain = new Set<number>();
  #next: number;
  #done = 0;

  constructor(run: FuzzRun) {
    this.#run = run;
    this.#next = run.first;
  }

  async run(): Promise<boolean> {
    const { workers, first, histories, print } = this.#run;
    await Promise.all(Array.from({ length: workers }, () => this.#employ()));
    const seconds = (performance.now() - this.#start) / 1000;
    const rate = (this.#done / seconds).toFixed(1);
    print(
      `${this.#done} of ${histories} histories from seed ${first} in ${seconds.toFixed(1)} s, ${rate} a second, ${workers} workers: ${this.#failing.length} failed`,
    );
    if (this.#failing.length > 0)
      print(`failing seeds: ${this.#failing.toSorted((a, b) => a - b).join(' ')}`);
    return this.#failing.length === 0 && this.#done === histories;
  }

  /** Resolves when a process has nothing more to do, or has ended. */
  async #employ(): Promise<void> {
    const [, program = ''] = process.argv;
    const worker = fork(program, process.argv.slice(2));
    let range = this.#take();
    // The seed that it is at, should it end.
    let seed = range?.first ?? 0;
    let isAgain = false;
    await new Promise<void>((resolve) => {
      const ask = (): void => {
        if (range === undefined) worker.disconnect();
        else worker.send(range);
      };
      worker.on('message', (told: Told) => {
        this.#note(told);
        seed = told.seed + 1;
        if (seed !== range?.end) return;
        range = this.#take();
        seed = range?.first ?? 0;
        ask();
      });
      worker.on('exit', (code, signal) => {
        // One that others ended may have been at any history: that one is tried once more.
        isAgain = signal !== null && !this.#triedAgain.has(seed);
        if (isAgain) this.#triedAgain.add(seed);
        else if (range !== undefined) {
          const how = signal ?? `code ${String(code)}`;
          this.#note({ seed, failure: `--seed ${seed}: the process ended with ${how}` });
        }
        resolve();
      });
      ask();
    });
    if (range === undefined) return;
    // The rest of its turn, and of all the others, is for another process.
    const rest = isAgain ? seed : seed + 1;
    if (rest < range.end) this.#left.push({ first: rest, end: range.end });
    await this.#employ();
  }

  #take(): Range | undefined {
    const left = this.#left.pop();
    if (left !== undefined) return left;
    const end = this.#run.first + this.#run.histories;
    const first = this.#next;
    if (first >= end) return undefined;
    this.#next = Math.min(first + HISTORIES_A_TURN, end);
    return { first, end: this.#next };
  }

  #note({ seed, failure }: Told): void {
    this.#done += 1;
    if (failure !== undefined) {
      this.#failing.push(seed);
      this.#run.print(failure);
    }
    if (this.#done % HISTORIES_A_REPORT === 0)
      this.#run.print(`${this.#done} histories, ${this.#failing.length} failed`);
  }
}
