import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

/** What {@link startServerProcess} runs, and where. */
export interface ServerProcessOptions {
  /** What it is called in errors. */
  readonly name: string;
  /** What is started: Node by default. */
  readonly program?: string | undefined;
  /** What it is started with. */
  readonly command: (port: number, persistPath: string) => readonly string[];
  readonly workingFolder: string;
  /** The folder that the rooms' data is kept in: by default a temporary one, deleted at the end. */
  readonly persistPath?: string | undefined;
  /** The port to listen on: by default one that is free. */
  readonly port?: number | undefined;
  /** A text that it prints once it listens itself. Without one, it counts as ready when something answers on the port. */
  readonly readyText?: string | undefined;
  /** Whether to keep what the process prints from this one's standard error: true by default. */
  readonly quiet?: boolean | undefined;
}

/** A server of rooms, in a process group of its own. */
export interface ServerProcess {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  /** `127.0.0.1:<port>`, as PartySocket takes it. */
  readonly host: string;
  readonly port: number;
  readonly persistPath: string;
  /** The URL of a path below a room: `room('a')`, `room('a', '/store')`. */
  readonly room: (roomId: string, path?: string) => string;
  /** Ends the process group and waits until the port is free. Deletes a temporary `persistPath`. */
  readonly stop: () => Promise<void>;
  /** Kills the process group as a power cut would, and waits until the port is free. Keeps the data. */
  readonly kill9: () => Promise<void>;
  /** Starts it again on the same port and data, killing it first if it still runs. */
  readonly restart: () => Promise<void>;
  /** Everything that it has printed since the first start. */
  readonly output: () => string;
  /** The memory of the whole process group that is in use (RSS), in MiB. */
  readonly memory: () => number;
}

const READY_DEADLINE_MILLISECONDS = 30_000;
/** A server is tried on so many ports: another process may take one just before it does. */
const MOST_PORTS = 3;
const TERMINATION_DEADLINE_MILLISECONDS = 3_000;

const runningGroups = new Set<number>();
const temporaryFolders = new Set<string>();
let isProcessGuarded = false;

/** Sends a signal to a whole process group, if there still is one. */
const signalGroup = (groupId: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(-groupId, signal);
  } catch {
    // Nothing of the group is left.
  }
};

const KIBIBYTES_A_MEBIBYTE = 1024;

const memoryOf = (groupId: number | undefined): number => {
  const lines = execFileSync('ps', ['-eo', 'pgid=,rss='], { encoding: 'utf8' }).split('\n');
  let memory = 0;
  for (const line of lines) {
    const [group, size = 0] = line.trim().split(/\s+/).map(Number);
    if (group === groupId) memory += size;
  }
  return memory / KIBIBYTES_A_MEBIBYTE;
};

const killAll = (): void => {
  for (const groupId of runningGroups) {
    signalGroup(groupId, 'SIGKILL');
  }
  for (const folder of temporaryFolders) {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
};

/**
 * Kills every server when this process ends, however it ends: killing only the process that was started would
 * leave its workerd behind, which holds the port and goes on answering.
 */
const guardProcess = (): void => {
  if (isProcessGuarded) {
    return;
  }
  isProcessGuarded = true;
  process.on('exit', killAll);
  // The runner that forked this process has died without saying so.
  process.on('disconnect', killAll);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      killAll();
      process.kill(process.pid, signal);
    });
  }
};

const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });

/**
 * Starts a server of rooms, and gives it once it answers over HTTP. Tries another port if the one that was free is taken.
 *
 * Whoever starts one stops it, in `afterAll`; when the test process ends without that, every one is killed. Throws an
 * error with everything that was printed if it is not ready in time.
 */
export const startServerProcess = async (options: ServerProcessOptions): Promise<ServerProcess> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOn(options.port ?? (await freePort()), options);
    } catch (error) {
      const isTaken = options.port === undefined && /in use/i.test(String(error));
      if (!isTaken || attempt === MOST_PORTS) throw error;
    }
  }
};

const startOn = async (port: number, options: ServerProcessOptions): Promise<ServerProcess> => {
  const {
    name,
    program = process.execPath,
    command,
    workingFolder,
    readyText = '',
    quiet = true,
  } = options;
  const host = `127.0.0.1:${port}`;
  const origin = `http://${host}`;
  const persistPath = options.persistPath ?? mkdtempSync(join(tmpdir(), 'rooms-'));
  if (options.persistPath === undefined) {
    temporaryFolders.add(persistPath);
  }
  let child: ChildProcess | undefined;
  let printed = '';

  const start = async (): Promise<void> => {
    if (await isListening(port)) {
      throw new Error(`Port ${port} is in use, so ${name} would not get it.`);
    }
    guardProcess();
    const started = spawn(program, command(port, persistPath), {
      cwd: workingFolder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child = started;
    if (started.pid === undefined) {
      throw new Error(`${name} could not be started.`);
    }
    runningGroups.add(started.pid);
    const printedBefore = printed.length;
    for (const stream of [started.stdout, started.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
        if (!quiet) {
          process.stderr.write(text);
        }
      });
    }
    try {
      await until(
        `${name} to answer on port ${port}`,
        async () => {
          if (started.exitCode !== null) {
            return 'exited';
          }
          if (!printed.includes(readyText, printedBefore)) {
            throw new Error(`It has not printed "${readyText}" yet.`);
          }
          const response = await fetch(origin);
          await response.arrayBuffer();
          return 'ready';
        },
        { deadlineMilliseconds: READY_DEADLINE_MILLISECONDS, intervalMilliseconds: 50 },
      );
      if (started.exitCode !== null) {
        throw new Error(`${name} ended with exit code ${started.exitCode}.`);
      }
    } catch (error) {
      // Another server may hold the port: then it does not become free.
      await end('SIGKILL').catch(() => undefined);
      throw new Error(`${String(error)}\n${printed}`, { cause: error });
    }
    started.once('exit', (code, signal) => {
      // All tests that follow fail: this says why.
      if (child === started) {
        process.stderr.write(`${name} ended by itself (${code ?? signal}):\n${printed}\n`);
      }
    });
  };

  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending?.pid === undefined) {
      return;
    }
    const hasEnded = (): boolean => ending.exitCode !== null || ending.signalCode !== null;
    signalGroup(ending.pid, signal);
    if (signal === 'SIGTERM') {
      try {
        await until(`${name} to end`, hasEnded, {
          deadlineMilliseconds: TERMINATION_DEADLINE_MILLISECONDS,
        });
      } catch {
        // It had its chance to end in order.
      }
      signalGroup(ending.pid, 'SIGKILL');
    }
    await until(`${name} to end`, hasEnded);
    await until(`port ${port} to be free`, async () => !(await isListening(port)));
    runningGroups.delete(ending.pid);
  };

  const deleteTemporaryFolder = (): void => {
    if (options.persistPath === undefined) {
      rmSync(persistPath, { recursive: true, force: true, maxRetries: 3 });
      temporaryFolders.delete(persistPath);
    }
  };

  try {
    await start();
  } catch (error) {
    deleteTemporaryFolder();
    throw error;
  }

  return {
    origin,
    host,
    port,
    persistPath,
    room: (roomId, path = '') => `${origin}/parties/main/${roomId}${path}`,
    stop: async () => {
      await end('SIGTERM');
      deleteTemporaryFolder();
    },
    kill9: async () => {
      await end('SIGKILL');
    },
    restart: async () => {
      await end('SIGKILL');
      await start();
    },
    output: () => printed,
    memory: () => memoryOf(child?.pid),
  };
};
