import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { leavesOf } from '../support/content.ts';
import { RoomDatabase } from '../support/room-database.ts';
import { until } from '../support/until.ts';
import { IDLE_MILLISECONDS, type TestedHost } from './contract-durability.ts';

/** The hooks of a room on a real host, with a real database behind HTTP. The rules stand in docs/protocol.md. */
export const testLifecycle = ({ name, clients, getHost }: TestedHost): void => {
  let database: RoomDatabase;
  beforeAll(async () => {
    database = await RoomDatabase.start();
  });
  afterAll(() => database?.stop());

  const urlOf = (room: string, path = '', party = 'saved'): string =>
    `${getHost().origin}/parties/${party}/${database.roomId(room)}${path}`;
  const ask = async (room: string, path: string, party = 'saved'): Promise<unknown> =>
    (await fetch(urlOf(room, path, party))).json();
  const open = (room: string, seed?: unknown, party = 'saved') =>
    clients.open({
      host: getHost().host,
      party,
      room: database.roomId(room),
      id: 'ada',
      ...(seed === undefined ? {} : { seed: seed as never }),
    });
  const untilLogged = (room: string, expected: readonly string[], deadlineMilliseconds = 15_000) =>
    until(
      `${room} to have logged ${expected.join()}`,
      () => {
        expect(database.logOf(room)).toEqual(expect.arrayContaining([...expected]));
        return true;
      },
      { deadlineMilliseconds },
    );
  const countOf = (room: string, what: string): number =>
    database.logOf(room).filter((logged) => logged === what).length;
  const savesOf = (room: string): readonly string[] =>
    database.logOf(room).filter((what) => /^(?:saved|emptied)/.test(what));

  test('[SAVE-1] two first clients find what the database has, and their own content is not used', async () => {
    const content = [{ pets: { fido: { tags: ['good', { dog: true }] } } }, { open: true }];
    await database.write('hydrated', content);
    const seed = [{}, { mine: true }];
    const [one, two] = await Promise.all([open('hydrated', seed), open('hydrated', seed)]);
    for (const { store } of [one, two]) expect(store.getContent()).toEqual(content);
    expect(countOf('hydrated', 'loaded')).toBe(1);
    expect(one.refusals.concat(two.refusals)).toEqual([]);
  });

  test('[SAVE-1] the database is down at first: nobody is served, and nothing lost; then all is well', async () => {
    await database.write('down', [{}, { v: 'stored' }]);
    await database.down();
    const client = clients.create({
      host: getHost().host,
      party: 'saved',
      room: database.roomId('down'),
    });
    const started = client.persister.startAutoPersisting([{}, { v: 'seed' }]);
    client.store.setValue('edit', 1);
    const answer = await fetch(urlOf('down', '/store'));
    expect([answer.status, await answer.json()]).toMatchObject([503, { code: 'unavailable' }]);
    await until('the client to hear', () => client.ignoredErrors.length > 0);
    expect(client.ignoredErrors[0]).toMatchObject({ code: 'unavailable' });
    await database.up();
    await started;
    // A socket that a room refuses closes after 10 s in Node.
    await until('the edit to be saved', () => client.persister.getSync().unsaved === 0, {
      deadlineMilliseconds: 40_000,
    });
    expect(client.store.getValues()).toEqual({ v: 'stored', edit: 1 });
  });

  test('[SAVE-2] [SAVE-8] [SAVE-9] 20 edits give few saves; the room empties when all have left', async () => {
    const client = await open('edits', [{}, { v: 0 }]);
    for (let edit = 1; edit <= 20; edit += 1) {
      client.store.setValue('v', edit);
      await client.confirmed();
      await wait(50);
    }
    await untilLogged('edits', ['saved 21']);
    expect(savesOf('edits').length).toBeLessThanOrEqual(6);
    expect(await database.contentOf('edits')).toEqual([{}, { v: 20 }]);
    await client.close();
    await untilLogged('edits', ['emptied 21', 'ada left']);
    const log = database.logOf('edits');
    expect(log.filter((what) => /came|left|emptied/.test(what))).toEqual([
      'ada came',
      'ada left',
      'emptied 21',
    ]);
    expect(log.filter((what) => what.startsWith('ada made'))).toEqual(
      Array.from({ length: 20 }, (_, edit) => `ada made ${edit + 2}`),
    );
    await wait(3_000);
    expect(database.logOf('edits')).toEqual(log);
  });

  test('[SAVE-3] saves that fail are tried again, and so is the emptying', async () => {
    const client = await open('failing', [{}, { v: 1 }]);
    database.failSaves(2, 500);
    await untilLogged('failing', ['saved 1']);
    await client.close();
    database.failSaves(2, 503);
    await untilLogged('failing', ['emptied 1']);
    const failed = savesOf('failing').filter((what) => what.endsWith('failed'));
    expect(failed).toEqual([
      'saved 1 failed',
      'saved 1 failed',
      'emptied 1 failed',
      'emptied 1 failed',
    ]);
    expect(await ask('failing', '/errors')).toHaveLength(4);
  });

  test('[SAVE-2] [SAVE-4] a kill -9 before a save skips nothing, though nobody comes back', async () => {
    const client = await open('killed', [{}, { v: 1 }]);
    await untilLogged('killed', ['saved 1']);
    client.store.setValue('v', 2);
    await client.confirmed();
    await getHost().kill9();
    client.socket.close();
    expect(await database.contentOf('killed')).toEqual([{}, { v: 1 }]);
    await getHost().restart();
    // PartyKit loses its alarms: there, somebody has to come.
    if (name === 'partykit') await fetch(urlOf('killed', '/store'));
    await untilLogged('killed', ['saved 2', 'emptied 2']);
    expect(await database.contentOf('killed')).toEqual([{}, { v: 2 }]);
  });

  test('[SAVE-4] a kill -9 in the time before the room empties: it empties all the same', async () => {
    const client = await open('grace', [{}, { v: 1 }]);
    await untilLogged('grace', ['saved 1']);
    await client.close();
    await untilLogged('grace', ['ada left']);
    await getHost().kill9();
    expect(savesOf('grace')).toEqual(['saved 1']);
    await getHost().restart();
    if (name === 'partykit') await fetch(urlOf('grace', '/store'));
    await untilLogged('grace', ['emptied 1']);
    await wait(3_000);
    expect(savesOf('grace')).toEqual(['saved 1', 'emptied 1']);
  });

  test('[SAVE-2] [SAVE-8] a hibernated room saves nothing twice, and hears who leaves', async () => {
    const url = urlOf('sleepy');
    await fetch(`${url}/store`, { method: 'PUT', body: '[{},{"v":1}]' });
    const socket = new WebSocket(`${url.replace('http', 'ws')}?_pk=silent`);
    await once(socket, 'open');
    await untilLogged('sleepy', ['saved 1', 'silent came']);
    const life = await (await fetch(`${url}/life`)).text();
    await wait(IDLE_MILLISECONDS + 1_000);
    socket.close();
    await untilLogged('sleepy', ['silent left', 'emptied 1']);
    expect(await (await fetch(`${url}/life`)).text()).not.toBe(life);
    expect(savesOf('sleepy')).toEqual(['saved 1', 'emptied 1']);
  });

  test('an ephemeral room is gone when it has emptied, and comes back with what was saved', async () => {
    const client = await open('ephemeral', [{}, { v: 1 }], 'ephemeral');
    client.store.setCell('t', 'r', 'c', [1, { deep: true }]);
    await client.confirmed();
    const content = client.store.getContent();
    await client.close();
    await untilLogged('ephemeral', ['emptied 2']);
    // Its own alarm does not make it again.
    await wait(3_000);
    expect(countOf('ephemeral', 'loaded')).toBe(1);
    const again = await open('ephemeral', [{}, { seed: true }], 'ephemeral');
    expect(again.store.getContent()).toEqual(content);
    expect(countOf('ephemeral', 'loaded')).toBe(2);
    const response = await fetch(urlOf('ephemeral', '/store', 'ephemeral'));
    expect(leavesOf((await response.json()) as never)).toEqual(leavesOf(content as never));
  });

  test('[SAVE-5] [SAVE-6] the app has its own alarms before, between and after those of the room', async () => {
    const early = await open('early-alarm', [{}, { v: 0 }]);
    const time = Date.now();
    expect(Number(await ask('early-alarm', '/alarm?in=200')) - time).toBeLessThan(1_000);
    early.store.setValue('v', 1);
    await untilLogged('early-alarm', ['alarm', 'saved 2']);
    await ask('early-alarm', '/alarm?in=4000');
    early.store.setValue('v', 2);
    await early.confirmed();
    await early.close();
    await untilLogged('early-alarm', ['saved 3', 'emptied 3']);
    await until('the second alarm', () => countOf('early-alarm', 'alarm') === 2);
    await wait(1_000);
    expect(countOf('early-alarm', 'alarm')).toBe(2);

    const late = await open('late-alarm', [{}, { v: 1 }]);
    const due = Number(await ask('late-alarm', '/alarm?in=9000'));
    await late.confirmed();
    await getHost().restart();
    if (name === 'partykit') await fetch(urlOf('late-alarm', '/store'));
    await late.close();
    await untilLogged('late-alarm', ['saved 1', 'emptied 1']);
    await until('the alarm of the app', () => countOf('late-alarm', 'alarm') === 1);
    expect(Date.now()).toBeGreaterThanOrEqual(due);
    expect(await ask('late-alarm', '/errors')).toEqual([]);
  });
};
