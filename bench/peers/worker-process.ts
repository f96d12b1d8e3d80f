import { startServerProcess, type ServerProcess } from '../../test/support/server-process.ts';

/** A Worker of a peer, in workerd. */
export class WorkerProcess {
  readonly #module: string;
  readonly #bindings: readonly string[];
  #process: ServerProcess | undefined;

  /** `module` is relative to the repository. Each binding is `name=Class`. */
  constructor(module: string, bindings: readonly string[]) {
    this.#module = module;
    this.#bindings = bindings;
  }

  get process(): ServerProcess {
    if (this.#process === undefined) throw new Error(`${this.#module} was not started.`);
    return this.#process;
  }

  async start(): Promise<void> {
    this.#process = await startServerProcess({
      name: this.#module,
      command: (port, folder) => [
        'test/hosts/serve-worker.mjs',
        this.#module,
        String(port),
        folder,
        ...this.#bindings,
      ],
      workingFolder: process.cwd(),
    });
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
    this.#process = undefined;
  }
}
