import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));
const textOf = (path: string): string => readFileSync(join(REPOSITORY, path), 'utf8');

/** Starts a room with each block that has a class of rooms. */
const ROOMS = 'server/documented-code.test.ts';
const FUNCTIONS = ROOMS;
/** Calls what a room of a guide adds. */
const HANDLERS = 'server/documented-rooms.test.ts';
/** Runs what needs no registry, and compares packages, options and paths with those that there are. */
const SHELL = 'server/documented-shell.test.ts';
const SCHEMA = 'server/documented-schema.test.ts';
const HANDLE = 'server/documented-handle.test.ts';
/** Compares the block with a fixture that rooms of the tests run. */
const LIFECYCLE = 'server/documented-lifecycle.test.ts';
const PAGES = 'browser/documented-pages.test.ts';
const PAIRS = 'browser/documented-pairs.test.ts';
const APPS = 'browser/documents.test.ts';
const CLIENT = 'browser/client.test.ts';
const REACT = 'browser/react-guide.test.ts';
const DEVTOOLS = 'browser/devtools.test.ts';
const PRESENCE = 'browser/presence.test.ts';
const UNDO = 'browser/undo.test.ts';
/** Compares the drawing with the folders. */
const SHAPE = 'protocol/shape.test.ts';
const WORKERS = 'hosts/documented-workers.test.ts';

/** Each block of code, in order, with the test that runs it: a file in `test`. */
const BLOCKS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'README.md': {
    'sh npm ci       # a minute': SHELL,
    'ts room.ts': APPS,
    'ts page.ts': APPS,
    'html <!doctype html><body><script type="module" src="/dist/page.js"></script></body>': APPS,
    'json "name": "my-app",': APPS,
    'sh npm init -y && npm pkg set type=module': SHELL,
    'ts lasting-page.ts': PAGES,
    'tsx app.tsx': PAGES,
  },
  'docs/auth.md': {
    'ts guarded-room.ts': PAIRS,
    'sh echo "AUTH_SECRET=$(openssl rand -base64 32)" > .env': SHELL,
    'ts guarded-page.ts': PAIRS,
    'ts tokenFor': FUNCTIONS,
    'ts provider-room.ts': HANDLERS,
    'ts provider-page.ts': PAGES,
    'ts owned-room.ts': HANDLERS,
  },
  'docs/client.md': {
    'ts client-room.ts': CLIENT,
    'sh echo "AUTH_SECRET=$(openssl rand -base64 32)" > .env': SHELL,
    'ts client-page.ts': CLIENT,
    'ts client-metadata.ts': PAGES,
    'ts client-schemas.ts': PAGES,
    'ts askBeforeUnload': PAGES,
    'ts client-offline.ts': PAGES,
  },
  'docs/deploying.md': {
    'ts deployed-worker.ts': WORKERS,
  },
  'docs/design.md': {
    'src/protocol/       messages and their codecs, changes, leaves, errors: all that both sides share':
      SHAPE,
  },
  'docs/devtools.md': {
    'ts devtools-page.ts': DEVTOOLS,
    'ts devtools-in-development.ts': PAGES,
    'tsx devtools-react.tsx': DEVTOOLS,
  },
  'docs/events.md': {
    'ts events-room.ts': PAIRS,
    'ts events-page.ts': PAIRS,
    'ts events-room-code.ts': HANDLERS,
    'ts events-contract.ts': ROOMS,
  },
  'docs/handle.md': {
    'ts commanded-room.ts': HANDLE,
    'js command.mjs': HANDLE,
    'sh echo "ADMIN_SECRET=$(openssl rand -base64 32)" >> .env': SHELL,
    'ts handled-room.ts': HANDLE,
    'ts handled-backend.ts': HANDLE,
  },
  'docs/hosts.md': {
    'ts worker.ts': WORKERS,
    'sh while read -r room; do': WORKERS,
    'ts copied-worker.ts': WORKERS,
  },
  'docs/ids.md': {
    'ts addNote': FUNCTIONS,
    'ts vote': FUNCTIONS,
    'ts notesInOrder': FUNCTIONS,
    'ts moveBetween': FUNCTIONS,
  },
  'docs/lifecycle.md': {
    'ts logged-board.ts': HANDLERS,
    'ts saved-board.ts': LIFECYCLE,
    'ts database-service.ts': LIFECYCLE,
    'ts database-server.ts': LIFECYCLE,
    'sh npx esbuild database-server.ts --bundle --platform=node --format=esm --packages=external --outfile=database-server.mjs':
      LIFECYCLE,
    'ts visited-board.ts': HANDLERS,
  },
  'docs/limits.md': {
    'ts limited-room.ts': ROOMS,
  },
  'docs/migrating.md': {
    "ts import type { Party } from 'partykit/server';": FUNCTIONS,
    'tsx useRoomStore': PAGES,
  },
  'docs/offline.md': {
    'ts offline-page.ts': PAGES,
    'ts logOut': PAGES,
    'ts protect': PAGES,
    'ts sqlite-offline.ts': WORKERS,
  },
  'docs/performance.md': {
    'sh npm ci': SHELL,
    'ts showProgress': PAGES,
  },
  'docs/permissions.md': {
    'ts notes-room.ts': APPS,
    'ts bank-room.ts': APPS,
    'ts strict-room.ts': APPS,
    'ts explain': PAGES,
  },
  'docs/presence.md': {
    'ts presence-room.ts': PRESENCE,
    'ts presence-page.ts': PRESENCE,
    'ts presence-bot.ts': HANDLERS,
    'ts presence-users.ts': HANDLERS,
  },
  'docs/react.md': {
    'sh mkdir my-app && cd my-app && npm init -y && npm pkg set type=module': SHELL,
    'html <!doctype html><meta charset="utf-8" /><title>My app</title><script type="module" src="/dist/react-page.js"></script>':
      REACT,
    'json "name": "my-app",': REACT,
    'json "compilerOptions": {': REACT,
    'sh npx partykit dev --disable-request-cf-fetch': SHELL,
    'js vite.config.js': REACT,
    'tsx react-page.tsx': REACT,
    'tsx react-unload.tsx': PAGES,
    'tsx react-store.tsx': PAGES,
    'tsx react-undo.tsx': PAGES,
    'tsx react-offline.tsx': PAGES,
  },
  'docs/schema-changes.md': {
    'ts migrated-room.ts': SCHEMA,
    'ts watchRelease': FUNCTIONS,
    'ts translating-room.ts': SCHEMA,
  },
  'docs/security.md': {
    'ts closed-room.ts': HANDLERS,
  },
  'docs/server-writes.md': {
    'ts reminding-room.ts': HANDLERS,
    'sh curl http://localhost:1999/parties/main/my-room/store # [tables, values]; nothing if the room has no Store yet':
      APPS,
    "ts import type { Request } from 'partykit/server';": APPS,
    'sh curl -H "Authorization: Bearer $BACKEND_TOKEN" -d \'{"id": "rex", "species": "dog"}\' \\':
      APPS,
    'ts robot.ts': APPS,
  },
  'docs/start.md': {
    'sh mkdir my-app && cd my-app && npm init -y && npm pkg set type=module': SHELL,
    'sh npx partykit dev --disable-request-cf-fetch': SHELL,
  },
  'docs/storage.md': {
    "ts import type { Request } from 'partykit/server';": HANDLERS,
  },
  'docs/testing.md': {
    'js room.test.mjs': APPS,
  },
  'docs/text.md': {
    'ts word-field.ts': PAGES,
    'ts countVotes': FUNCTIONS,
    'ts counting-room.ts': APPS,
  },
  'docs/troubleshooting.md': {
    'sh npm install tinybase@10': SHELL,
  },
  'docs/undo.md': {
    'ts undo-page.ts': UNDO,
    'ts undo-hooks.ts': PAGES,
    'ts undo-drag.ts': PAGES,
  },
};

/** The blocks that cannot run, and why. */
const NOT_RUN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'docs/design.md': {
    'socket → hosts/ → Arrivals (limits, Admission, turns) → Dispatcher (SerialQueue, decode) → RoomState.receive':
      'It is a drawing.',
    'session → Outbox (outbox.ts, in ./client) ← DurableOutbox (in ./client/offline, only if the app imports it)':
      'It is a drawing.',
  },
  'docs/hosts.md': {
    'Room (queue, Store, storage)            knows the port RoomHost: sockets, storage, time, randomness':
      'It is a drawing.',
  },
  'docs/storage.md': {
    "manifest ──► page 12 │ page 13 │ page 31 │ …      the snapshot: content at the manifest's version,":
      'It is a drawing.',
  },
  'docs/troubleshooting.md': {
    'npm error ERESOLVE unable to resolve dependency tree':
      'It is what npm says of another release of TinyBase, and of the releases of the day.',
  },
};

interface Block {
  readonly name: string;
  readonly code: string;
}

/** Returns what a block is called: by its file, by what it exports, or by its first line with a word. */
function nameOf(code: string): string {
  const [, file] = /^\/\/ ([\w.-]+\.\w+)\b/.exec(code) ?? [];
  const [, exported] = /^export (?:async )?(?:function|const) (\w+)/m.exec(code) ?? [];
  const [line = ''] = /^.*\w.*$/m.exec(code) ?? [];
  return file ?? exported ?? line.trim();
}

const blocksOf = (document: string): readonly Block[] =>
  [...textOf(document).matchAll(/^ *```(\w*)\n(.*?)^ *```$/gms)].map(
    ([, language = '', code = '']) => ({ name: `${language} ${nameOf(code)}`.trim(), code }),
  );

const documents = [
  'README.md',
  ...readdirSync(join(REPOSITORY, 'docs')).map((name) => `docs/${name}`),
]
  .filter((name) => name.endsWith('.md'))
  .filter((name) => blocksOf(name).length > 0);

test('every document with a block of code is in the list', () => {
  expect(documents).toEqual(
    [...new Set([...Object.keys(BLOCKS), ...Object.keys(NOT_RUN)])].toSorted(),
  );
});

describe.each(documents)('%s', (document) => {
  const run = BLOCKS[document] ?? {};
  const notRun = NOT_RUN[document] ?? {};

  test('has its blocks in the list of those that a test runs, or of those that cannot run', () => {
    const names = blocksOf(document).map(({ name }) => name);
    expect(names.filter((name) => !(name in notRun))).toEqual(Object.keys(run));
    expect(names.filter((name) => name in notRun)).toEqual(Object.keys(notRun));
  });

  test('has tests that read it', () => {
    const others = Object.values(run).filter((file) => !textOf(`test/${file}`).includes(document));
    expect(others).toEqual([]);
  });

  test('has tests that name its files and functions, or find its rooms', () => {
    const unnamed = blocksOf(document).filter(({ name, code }) => {
      const file = run[name];
      const [, word] = /^\w+ ([\w.-]+)$/.exec(name) ?? [];
      if (file === undefined || word === undefined) return false;
      const isFound = file === ROOMS && /class \w* ?extends TinyBasePartyKitServer/.test(code);
      return !isFound && !textOf(`test/${file}`).includes(word);
    });
    expect(unnamed.map(({ name }) => name)).toEqual([]);
  });
});
