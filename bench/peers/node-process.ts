import { fileURLToPath } from 'node:url';

import { startServerProcess, type ServerProcess } from '../../test/support/server-process.ts';

/** A Node process of its own with a server of a peer: `servers/<name>.ts`, which is bundled beside this. */
export class NodeProcess {
  readonly #name: string;
  #process: ServerProcess | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  get process(): ServerProcess {
    if (this.#process === undefined) throw new Error(`${this.#name} was not started.`);
    return this.#process;
  }

  async start(): Promise<void> {
    const script = fileURLToPath(new URL(`${this.#name}.mjs`, import.meta.url));
    this.#process = await startServerProcess({
      name: this.#name,
      command: (port) => [script, String(port)],
      workingFolder: process.cwd(),
    });
  }

  async stop(): Promise<void> {
    await this.#process?.stop();
    this.#process = undefined;
  }
}
