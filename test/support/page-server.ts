import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type ServerResponse, createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { freePort } from './free-port.ts';

/** What {@link startPageServer} serves. Paths are relative to the repository. */
export interface PageServerOptions {
  /** The module that the page runs; it is bundled with all that it imports. */
  readonly entry: string;
  /** Where the page asks for it: `/page.js` by default. */
  readonly scriptPath?: string;
  /** A folder with an `index.html` and what else the page needs: by default an empty page. */
  readonly folder?: string;
  /** Modules in the place of others, by name. */
  readonly alias?: Readonly<Record<string, string>>;
}

/** A server of static pages, on another origin than every party. */
export interface PageServer {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string;
  /** The page's URL with a query, for example `{room: 'a', host: party.host}`. */
  readonly page: (query?: Readonly<Record<string, string>>) => string;
  readonly stop: () => Promise<void>;
}

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

const emptyPage = (scriptPath: string): string =>
  `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">` +
  `<title>test</title><script type="module" src="${scriptPath}"></script>`;

const bundle = async (entry: string, alias: Record<string, string>): Promise<string> => {
  const result = await build({
    absWorkingDir: REPOSITORY,
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: 'esm',
    jsx: 'automatic',
    alias,
    platform: 'browser',
    target: 'es2022',
    sourcemap: 'inline',
    logLevel: 'silent',
  });
  return result.outputFiles.map(({ text }) => text).join('');
};

/**
 * Bundles a module once, and serves a page that runs it, on the loopback interface.
 *
 * Throws if the module cannot be bundled. Whoever starts it stops it.
 */
export const startPageServer = async (options: PageServerOptions): Promise<PageServer> => {
  const { entry, scriptPath = '/page.js', folder, alias } = options;
  const script = await bundle(entry, { ...alias });

  const read = async (path: string): Promise<string | Buffer> => {
    if (path === scriptPath) {
      return script;
    }
    if (folder === undefined) {
      if (path === '/index.html') {
        return emptyPage(scriptPath);
      }
      throw new Error('There are no files.');
    }
    return readFile(join(REPOSITORY, folder, normalize(path)));
  };

  const respond = async (path: string, response: ServerResponse): Promise<void> => {
    try {
      const body = await read(path);
      response.setHeader('content-type', CONTENT_TYPES[extname(path)] ?? 'text/plain');
      response.end(body);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  };

  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://page');
    void respond(pathname === '/' ? '/index.html' : pathname, response);
  });
  const port = await freePort();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${port}`;

  return {
    origin,
    page: (query = {}) => `${origin}/?${new URLSearchParams(query).toString()}`,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
};
