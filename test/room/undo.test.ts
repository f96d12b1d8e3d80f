import { createCheckpoints, type Content } from 'tinybase';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { createUndo } from '../../src/client/features/undo/index.ts';
import { Clients } from '../support/clients.ts';
import { untilEqual } from '../support/content.ts';
import { promise, startTestedParty } from '../support/pair.ts';
import type { Party } from '../support/party.ts';
import { until } from '../support/until.ts';

const WITHOUT_UNDO = /createUndo got no persister/;
const SEED: Content = [{ pets: { fido: { legs: 4, color: 'brown' } } }, {}];

let party: Party;
const clients = new Clients();

beforeAll(async () => {
  party = await startTestedParty();
});
afterEach(() => clients.closeAll());
afterAll(() => party?.stop());

promise(
  '[UNDO-1] [UNDO-3] each of two clients undoes its own edits alone, where TinyBase’s Checkpoints undo everybody’s',
  WITHOUT_UNDO,
  async () => {
    const here = { host: party.host, room: 'undo-own' };

    const [a, b] = [await clients.open({ ...here, seed: SEED }), await clients.open(here)];
    const [undoA, undoB] = [createUndo(a.persister), createUndo(b.persister)];
    const checkpoints = createCheckpoints(a.store);
    a.store.setCell('pets', 'fido', 'legs', 3);
    a.store.setCell('pets', 'fido', 'color', 'red');
    await untilEqual([a.store, b.store], party.room('undo-own', '/store'));
    b.store.setCell('pets', 'fido', 'legs', 5);
    b.store.setRow('pets', 'rex', { legs: 1 });
    await untilEqual([a.store, b.store], party.room('undo-own', '/store'));

    undoA.goBackward();
    undoA.goBackward();
    await untilEqual([a.store, b.store], party.room('undo-own', '/store'));
    expect(b.store.getTable('pets')).toEqual({
      fido: { legs: 5, color: 'brown' },
      rex: { legs: 1 },
    });
    undoB.goBackward().goBackward();
    undoA.goForward();
    await untilEqual([a.store, b.store], party.room('undo-own', '/store'));
    expect(a.store.getTable('pets')).toEqual({ fido: { legs: 3, color: 'red' } });

    // The same with TinyBase's own: it knows of no others.
    undoB.goForward().goForward();
    await until('the redo', () => a.store.hasRow('pets', 'rex'));
    checkpoints.addCheckpoint();
    checkpoints.goTo('0');
    expect(a.store.hasRow('pets', 'rex')).toBe(false);
  },
);

promise(
  '[UNDO-4] [UNDO-9] what was edited offline is undone to what others have set meanwhile',
  WITHOUT_UNDO,
  async () => {
    const here = { host: party.host, room: 'undo-offline' };
    const a = await clients.open({ ...here, seed: [{ pets: { fido: { legs: 4 } } }, {}] });
    const b = await clients.open(here);
    const undo = createUndo(a.persister);
    a.cut();
    a.store.setCell('pets', 'fido', 'legs', 3);
    a.store.setRow('pets', 'felix', { legs: 4 });
    undo.goBackward();
    b.store.setCell('pets', 'fido', 'legs', 5);
    await b.confirmed();
    a.heal();
    await a.confirmed();
    await untilEqual([a.store, b.store], party.room('undo-offline', '/store'));
    expect(b.store.getTable('pets')).toEqual({ fido: { legs: 3 } });
    undo.goBackward();
    await untilEqual([a.store, b.store], party.room('undo-offline', '/store'));
    expect(b.store.getTable('pets')).toEqual({ fido: { legs: 5 } });
    undo.goForward().goForward();
    await untilEqual([a.store, b.store], party.room('undo-offline', '/store'));
    expect(b.store.getTable('pets')).toEqual({ fido: { legs: 3 }, felix: { legs: 4 } });
  },
);

promise(
  '[UNDO-6] what the room’s hooks refuse leaves its step, and a step that is refused as a whole is gone',
  WITHOUT_UNDO,
  async () => {
    const here = { host: party.host, room: 'undo-refused', party: 'refusing' };
    const a = await clients.open({ ...here, seed: [{ t: { r: { c: 'old' } } }, {}] });
    const undo = createUndo(a.persister);
    a.store.setPartialRow('t', 'r', { c: 'new', noSetCell: 'refused' });
    a.store.setValue('noSetValue', 'refused');
    await a.confirmed();
    expect(a.refusals).toHaveLength(2);
    expect(undo.getCheckpointIds()).toEqual([['0'], '1', []]);
    undo.goBackward();
    await a.confirmed();
    expect(a.store.getContent()).toEqual([{ t: { r: { c: 'old' } } }, {}]);
    expect(a.refusals).toHaveLength(2);
  },
);
