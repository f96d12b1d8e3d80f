import { fileURLToPath } from 'node:url';
import { type PartyOptions, startParty } from '../support/party.ts';
import { startServerProcess, type ServerProcess } from '../support/server-process.ts';

/** Everything that a room runs on. */
export type HostName = 'partykit' | 'partyserver' | 'durable-object';

/** The host of that name, PartyKit if none is named. */
export const hostNamed = (name: string = 'partykit'): HostName => {
  if (name === 'partykit' || name === 'partyserver' || name === 'durable-object') return name;
  throw new Error(`There is no host ${name}.`);
};

/** The rooms of `test/room/fixtures`, by the name of their party. */
const PARTIES = {
  main: 'Main',
  refusing: 'Refusing',
  hanging: 'Hanging',
  summing: 'Summing',
  overriding: 'Overriding',
  restoring: 'Restoring',
  closing: 'Closing',
  echoing: 'Echoing',
  gated: 'Gated',
  guarded: 'Guarded',
  authorized: 'Authorized',
  edge: 'Edge',
  origins: 'Origins',
  secretless: 'Secretless',
  provided: 'Provided',
  administered: 'Administered',
  commanded: 'Commanded',
  unadministered: 'Unadministered',
  present: 'Present',
  saved: 'Saved',
  ephemeral: 'Ephemeral',
  eventful: 'Eventful',
  talking: 'Talking',
  starting: 'Starting',
  observing: 'Observing',
  stateful: 'Stateful',
  watching: 'Watching',
  failing: 'Failing',
  credentials: 'Credentials',
};

/** Those that only a Durable Object has. */
const OBJECTS = { dying: 'Dying' };

/** The line that `serve-worker.mjs` prints when it listens. */
export const WORKER_READY_TEXT = 'The Worker is ready.';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/** Starts that host with the rooms of `test/room/fixtures`, which are the same files on each. */
export const startHost = (
  name: HostName,
  { persistPath, port }: Pick<PartyOptions, 'persistPath' | 'port'> = {},
): Promise<ServerProcess> =>
  name === 'partykit'
    ? startParty({
        entry: 'test/room/fixtures/plain.ts',
        config: 'test/room/fixtures/partykit-rooms.json',
        ...(persistPath === undefined ? {} : { persistPath }),
        ...(port === undefined ? {} : { port }),
      })
    : startServerProcess({
        name: `miniflare with ${name}`,
        readyText: WORKER_READY_TEXT,
        command: (chosenPort, folder) => [
          'test/hosts/serve-worker.mjs',
          `test/hosts/fixtures/${name}.ts`,
          String(chosenPort),
          folder,
          ...Object.entries({ ...PARTIES, ...(name === 'durable-object' && OBJECTS) }).map(
            (binding) => binding.join('='),
          ),
        ],
        workingFolder: REPOSITORY,
        persistPath,
        port,
      });
