import { readFile } from 'node:fs/promises';

import type { Persister } from 'tinybase/persisters';
import { expect, test } from 'vitest';

import type {
  PartyKitPersister,
  PartyKitPersisterConfig,
  Refusal,
  RefusalReason,
  Sync,
  SyncPhase,
} from '../../src/client/index.ts';
import * as client from '../../src/client/index.ts';
import { ERRORS } from '../../src/protocol/errors.ts';
import type { RoomHooks } from '../../src/server/writes/hooks.ts';
import type {
  RoomErrorSource,
  TinyBasePartyKitServer,
  TinyBasePartyKitServerConfig,
} from '../../src/server/index.ts';
import * as server from '../../src/server/index.ts';
import {
  DEFAULT_HOOK_TIMEOUT_MILLISECONDS,
  DEFAULT_LIMITS,
} from '../../src/server/room/room-options.ts';

/** Every name of a type, once: the compiler complains if one lacks here, or is too many. */
type Names<Name extends PropertyKey> = Readonly<Record<Name, 1>>;
type RefusalFields<Type> = Exclude<keyof Extract<Refusal, { type: Type }>, 'type'>;
type Hook = keyof RoomHooks<unknown>;
type Member = Exclude<keyof TinyBasePartyKitServer, Hook>;

const PHASES: Names<SyncPhase> = {
  idle: 1,
  loading: 1,
  connecting: 1,
  'catching-up': 1,
  live: 1,
  reduced: 1,
  empty: 1,
  stopped: 1,
};
const SYNC: Names<keyof Sync> = {
  phase: 1,
  unsaved: 1,
  localOnly: 1,
  loadedBytes: 1,
  code: 1,
  error: 1,
};
const REASONS: Names<RefusalReason> = {
  hook: 1,
  schema: 1,
  failed: 1,
  timeout: 1,
  access: 1,
  unknown: 1,
  'too-large': 1,
  malformed: 1,
  'own-schema': 1,
  'own-middleware': 1,
  'own-listener': 1,
  'before-start': 1,
  undelivered: 1,
  loaded: 1,
  'another-room': 1,
  destroyed: 1,
};
const REFUSALS: { readonly [Type in Refusal['type']]: Names<RefusalFields<Type>> } = {
  row: { tableId: 1, rowId: 1, reason: 1 },
  cell: { tableId: 1, rowId: 1, cellId: 1, cell: 1, reason: 1 },
  value: { valueId: 1, value: 1, reason: 1 },
};
const PERSISTER: Names<Exclude<keyof PartyKitPersister, keyof Persister>> = {
  getConnection: 1,
  getSync: 1,
  addSyncListener: 1,
  addRefusalListener: 1,
  whenConfirmed: 1,
  discardLocal: 1,
};
const PERSISTER_CONFIG: Names<keyof PartyKitPersisterConfig> = {
  storePath: 1,
  messagePrefix: 1,
  storeProtocol: 1,
  fetch: 1,
  credentials: 1,
  offline: 1,
};
const SERVER_CONFIG: Names<keyof TinyBasePartyKitServerConfig> = {
  storePath: 1,
  messagePrefix: 1,
  storagePrefix: 1,
  responseHeaders: 1,
  allowedOrigins: 1,
  hookTimeoutMilliseconds: 1,
  limits: 1,
  storageUpdatedMilliseconds: 1,
  roomDeletedMilliseconds: 1,
  isEphemeral: 1,
  initialStorageMilliseconds: 1,
  saveRetryMilliseconds: 1,
  saveAlarmMilliseconds: 1,
};
const HOOKS: Names<Hook> = {
  canSetTable: 1,
  canDelTable: 1,
  canSetRow: 1,
  canDelRow: 1,
  canSetCell: 1,
  canDelCell: 1,
  canSetValue: 1,
  canDelValue: 1,
};
const MEMBERS: Names<Member> = {
  config: 1,
  prepareStore: 1,
  onRoomError: 1,
  onRequest: 1,
  onUnavailableRequest: 1,
  onMessage: 1,
  getInitialStorage: 1,
  onStorageUpdated: 1,
  onRoomDeleted: 1,
  onUserConnected: 1,
  onUserDisconnected: 1,
  onRoomMessage: 1,
  party: 1,
  options: 1,
  roomId: 1,
  store: 1,
  start: 1,
  afterInitialContent: 1,
  whenDurable: 1,
  addFeature: 1,
  setGate: 1,
  learnRoomId: 1,
  refuseSocket: 1,
  getSize: 1,
  getStats: 1,
  evict: 1,
  evictAll: 1,
  garbageCollect: 1,
  exportRoom: 1,
  restoreRoom: 1,
  wipe: 1,
};
const SOURCES: Names<RoomErrorSource> = {
  config: 1,
  hook: 1,
  listener: 1,
  mutator: 1,
  prepare: 1,
  storage: 1,
  transaction: 1,
  lifecycle: 1,
  feature: 1,
  handler: 1,
  host: 1,
  limit: 1,
  room: 1,
};

const document = await readFile(new URL('../../docs/api.md', import.meta.url), 'utf8');

/** The rows of the table whose first column has that heading: names without their backticks, then the other cells. */
function table(heading: string, text: string = document): readonly (readonly string[])[] {
  const [, ...rest] = text.split(`\n| ${heading} |`);
  expect(rest).toHaveLength(1);
  const [, , ...lines] = rest[0]?.split('\n') ?? [];
  const end = lines.findIndex((line) => !line.startsWith('|'));
  return lines.slice(0, end).map((line) => line.slice(2, -2).split(' | '));
}

/** The names in the first column: all that stands in backticks, without parameters. */
const names = (heading: string): readonly string[] =>
  table(heading)
    .flatMap(([first = '']) => first.match(/`[\w-]+/g) ?? [])
    .map((name) => name.slice(1));

test.each([
  ['config, of the client', 'config', PERSISTER_CONFIG],
  ['method, beside TinyBase’s own', "method, beside TinyBase's own", PERSISTER],
  ['field of what getSync gives', 'field', SYNC],
  ['phase', 'phase', PHASES],
  ['reason of a refusal', 'reason', REASONS],
  ['error code', 'code', ERRORS],
  ['config, of the server', 'config of the room', SERVER_CONFIG],
  ['limit', 'limit', DEFAULT_LIMITS],
  ['hook', 'hook', HOOKS],
  ['source of a room’s error', '`where`', SOURCES],
])('docs/api.md lists every %s, and no other', (_what, heading, expected) => {
  expect(names(heading).toSorted()).toEqual(Object.keys(expected).toSorted());
});

test('docs/api.md lists every member of the server class, and handlers that an app may define', () => {
  const listed = [...names('method'), ...names('member'), 'config'];
  const handlers = ['onStart', 'onConnect', 'onClose', 'onError', 'onAlarm'];
  expect(listed.toSorted()).toEqual([...Object.keys(MEMBERS), ...handlers].toSorted());
});

test('docs/api.md gives the fields of every kind of refusal', () => {
  const listed = table('`type`').map(([type = '', fields = '']) => [
    type.replaceAll('`', ''),
    [...fields.matchAll(/`(\w+)`/g)].map(([, field = '']) => field),
  ]);
  const expected = Object.entries(REFUSALS).map(([type, fields]) => [type, Object.keys(fields)]);
  expect(listed).toEqual(expected);
});

test.each(['docs/api.md', 'docs/limits.md'])(
  '%s gives every default limit as it is',
  async (path) => {
    const page = await readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
    const units: Readonly<Record<string, number>> = { Ki: 2 ** 10, Mi: 2 ** 20 };
    const valueOf = (text: string): number => {
      const [, digits = '', unit = ''] = /^([\d,]+)(?: (Ki|Mi))?/.exec(text) ?? [];
      return Number(digits.replaceAll(',', '')) * (units[unit] ?? 1);
    };
    const listed = table('limit', page).map(([limit = '', value = '']) => [
      limit.replaceAll('`', ''),
      valueOf(value),
    ]);
    expect(Object.fromEntries(listed)).toEqual(DEFAULT_LIMITS);
    const timeout = table('config of the room').find(([name]) => name?.includes('hookTimeout'));
    expect(valueOf(timeout?.[1] ?? '')).toBe(DEFAULT_HOOK_TIMEOUT_MILLISECONDS);
  },
);

test('docs/api.md names what each import gives', () => {
  const given = Object.fromEntries(
    table('import').map(([path = '', exports = '']) => [
      path.replaceAll('`', ''),
      [...exports.matchAll(/`(\w+)`/g)].map(([, name = '']) => name).toSorted(),
    ]),
  );
  expect(given['tinybase-partykit/client']).toEqual(Object.keys(client).toSorted());
  expect(given['tinybase-partykit/server']).toEqual(Object.keys(server).toSorted());
});

// Not of the server, which exports all of them by `export *`.
test.each([
  ['client', 'client/index.ts', 'client/with-schemas.ts'],
  ['client/room', 'client/room/index.ts', 'client/room/with-schemas.ts'],
  ['react', 'react/index.ts', 'react/with-schemas.ts'],
])(
  'tinybase-partykit/%s/with-schemas exports every name of the module without schemas',
  async (_path, plain, withSchemas) => {
    expect(await exportedNames(withSchemas)).toEqual(await exportedNames(plain));
  },
);

/** The names of all functions, classes and types that a module exports, by the text of its file. */
async function exportedNames(path: string): Promise<readonly string[]> {
  const text = await readFile(new URL(`../../src/${path}`, import.meta.url), 'utf8');
  const declared = text.matchAll(/^export (?:const|function|class|interface|type) (\w+)/gm);
  const lists = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].map(([, list]) => list);
  const listed = lists.join(',').matchAll(/(?:type )?(\w+)(?=\s*(?:,|$))/g);
  return [...new Set([...declared, ...listed].map(([, name = '']) => name))].toSorted();
}
