import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, type BrowserContext, type Page, chromium } from 'playwright-core';

import { until } from './until.ts';

/** A page under test, and what went wrong in it. */
export interface OpenedPage {
  readonly page: Page;
  /** Uncaught exceptions and `console.error` messages so far, in order. */
  readonly problems: () => readonly string[];
}

interface Executable {
  readonly path: string;
  readonly environment: Readonly<Record<string, string>>;
}

const SYSTEM_CHROMIUM = '/usr/bin/chromium';
const CACHE = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));
const UNPACKED = join(CACHE, 'chromium');
const UNPACK_SCRIPT = fileURLToPath(new URL('unpack-chromium.mjs', import.meta.url));

// The package's own names folders of its usual host; without any font, pages crash now and then.
const FONT_CONFIGURATION = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${join(UNPACKED, 'fonts')}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${join(UNPACKED, 'fonts-cache')}</cachedir>
</fontconfig>
`;

/** A name of this machine whose pages are not secure, as those that a phone opens by the address of a computer. */
export const INSECURE_HOST = 'insecure.test';

const FLAGS = [
  `--host-resolver-rules=MAP ${INSECURE_HOST} 127.0.0.1`,
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Unpacks aside and renames, so that two test runs at once never see half a browser. */
const unpackChromium = async (): Promise<void> => {
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'unpacking-'));
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [UNPACK_SCRIPT], {
      // The runtime's name makes the package unpack the system libraries that it needs, too.
      env: { ...process.env, TMPDIR: folder, AWS_LAMBDA_JS_RUNTIME: 'nodejs22.x' },
    });
    if (basename(stdout) !== 'chromium') {
      throw new Error(`Chromium was unpacked to an unexpected place: ${stdout}`);
    }
    writeFileSync(join(folder, 'fonts', 'fonts.conf'), FONT_CONFIGURATION);
    renameSync(folder, UNPACKED);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    if (!existsSync(UNPACKED)) {
      throw error;
    }
  }
};

const findExecutable = async (): Promise<Executable> => {
  const chosen = process.env['CHROMIUM_PATH'];
  if (chosen !== undefined && chosen !== '') {
    return { path: chosen, environment: {} };
  }
  if (existsSync(SYSTEM_CHROMIUM)) {
    return { path: SYSTEM_CHROMIUM, environment: {} };
  }
  if (!existsSync(UNPACKED)) {
    await unpackChromium();
  }
  return {
    path: join(UNPACKED, 'chromium'),
    environment: {
      LD_LIBRARY_PATH: join(UNPACKED, 'al2023', 'lib'),
      FONTCONFIG_PATH: join(UNPACKED, 'fonts'),
    },
  };
};

/**
 * Launches a headless Chromium: the one that `CHROMIUM_PATH` names, else the system's, else the one
 * of the npm package `@sparticuz/chromium`, which needs nothing from the system.
 *
 * Whoever launches it closes it.
 */
export const launchBrowser = async (): Promise<Browser> => {
  const { path, environment } = await findExecutable();
  return chromium.launch({
    executablePath: path,
    args: FLAGS,
    env: { ...definedVariables(), ...environment },
  });
};

/** A browser with a profile that lasts. */
export interface ProfiledBrowser {
  readonly context: BrowserContext;
  /** Kills the browser and all of its processes, as a crash does. */
  readonly kill: () => Promise<void>;
}

/** Launches a browser, as {@link launchBrowser}, on the profile in a folder. Whoever launches it closes or kills it. */
export const launchContext = async (profile: string): Promise<ProfiledBrowser> => {
  const { path, environment } = await findExecutable();
  // The command line finds the process: it is the only one that uses this profile.
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: path,
    args: FLAGS,
    env: { ...definedVariables(), ...environment },
  });
  const closed = new Promise((resolve) => context.once('close', resolve));
  return {
    context,
    kill: async () => {
      for (const pid of processesOf(profile)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It ended with its parent.
        }
      }
      await closed;
    },
  };
};

/** Returns the ids of the processes that have this profile in their command line. */
const processesOf = (profile: string): readonly number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`=${profile}`);
      } catch {
        return false;
      }
    })
    .map(Number);

const definedVariables = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value]],
    ),
  );

/**
 * Opens a URL in a new page. Pages of one context are windows of one person; pages of two contexts
 * (`browser.newContext()`) are two people, or two browsers.
 */
export const openPage = async (
  context: Browser | BrowserContext,
  url: string,
): Promise<OpenedPage> => {
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => {
    problems.push(error.stack ?? error.message);
  });
  page.on('console', (message) => {
    if (message.type() === 'error') {
      problems.push(message.text());
    }
  });
  await page.goto(url);
  return { page, problems: () => problems };
};

/** Waits until the page shows a text. */
export const untilShown = (page: Page, text: RegExp): Promise<unknown> =>
  until(`"${text.source}"`, async () =>
    text.test((await page.locator('body').textContent()) ?? ''),
  );
