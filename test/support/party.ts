import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ServerProcess, startServerProcess } from './server-process.ts';

/** What {@link startParty} runs, and where. Everything has a default. */
export interface PartyOptions {
  /** The room module, relative to the repository: `test/room/fixtures/stock.ts` by default. */
  readonly entry?: string;
  /** The `partykit.json`, relative to the repository: the bare one of the fixtures by default. */
  readonly config?: string;
  /** The folder that the rooms' data is kept in: by default a temporary one, deleted at the end. */
  readonly persistPath?: string;
  /** The port to listen on: by default one that is free. A port in use makes `partykit dev` hang. */
  readonly port?: number;
  /** Variables that the room finds in `room.env`. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Whether to keep what the process prints from this one's standard error: true by default. */
  readonly quiet?: boolean;
}

/** A real `partykit dev`, in a process group of its own. */
export type Party = ServerProcess;

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const COMMAND_LINE = join(REPOSITORY, 'node_modules/partykit/dist/bin.mjs');

/**
 * Starts `partykit dev` with a room module, and gives it once it answers over HTTP.
 *
 * Whoever starts a party stops it, in `afterAll`; when the test process ends without that, every
 * party is killed. Throws an error with everything that was printed if it is not ready in time.
 */
export const startParty = (options: PartyOptions = {}): Promise<Party> => {
  const {
    entry = 'test/room/fixtures/stock.ts',
    config = 'test/room/fixtures/partykit.json',
    variables = {},
  } = options;
  const variableArguments = Object.entries(variables).flatMap(([name, value]) => [
    '--var',
    `${name}=${value}`,
  ]);
  return startServerProcess({
    name: `partykit dev ${entry}`,
    command: (port, persistPath) => [
      COMMAND_LINE,
      'dev',
      entry,
      `--config=${config}`,
      `--port=${port}`,
      `--persist=${persistPath}`,
      '--disable-request-cf-fetch',
      '--no-hotkeys',
      ...variableArguments,
    ],
    workingFolder: REPOSITORY,
    readyText: 'Ready on ',
    persistPath: options.persistPath,
    port: options.port,
    quiet: options.quiet,
  });
};
