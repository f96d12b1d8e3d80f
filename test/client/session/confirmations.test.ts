import { describe, expect, test } from 'vitest';

import { TinyBasePartyKitError } from '../../../src/protocol/errors.ts';
import { ScriptedRoom, stateOf } from './scripted-room.ts';

describe('whenConfirmed', () => {
  test('settles at once if nothing is unsaved', async () => {
    expect(await stateOf(new ScriptedRoom().session.whenConfirmed())).toBe('settled');
  });

  test('settles with the ack of the last edit made before it, whatever was edited since', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('a', 1);
    room.store.setValue('b', 1);
    const confirmed = room.session.whenConfirmed();
    room.store.setValue('c', 1);
    room.ack(1, 2);
    expect(await stateOf(confirmed)).toBe('waiting');
    room.ack(2, 3);
    expect(await stateOf(confirmed)).toBe('settled');
    expect(room.session.sync.unsaved).toBe(1);
  });

  test('waits for held edits to be sent and confirmed', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.session.stopSaving();
    room.store.setValue('a', 1);
    const confirmed = room.session.whenConfirmed();
    expect(await stateOf(confirmed)).toBe('waiting');
    await room.session.startSaving();
    expect(await stateOf(confirmed)).toBe('waiting');
    room.ack(1, 2);
    expect(await stateOf(confirmed)).toBe('settled');
  });

  test('settles with a welcome that says that the room has processed them', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('a', 1);
    const confirmed = room.session.whenConfirmed();
    room.close();
    room.open();
    room.welcome({ generation: 2, lastPush: 1, cursor: { epoch: 'e', version: 2 } });
    expect(await stateOf(confirmed)).toBe('settled');
  });

  test('rejects when the socket leads to another room first, and settles there', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('a', 1);
    const confirmed = room.session.whenConfirmed();
    room.moveToAnotherRoom();
    await expect(confirmed).rejects.toBeInstanceOf(TinyBasePartyKitError);
    expect(await stateOf(room.session.whenConfirmed())).toBe('settled');
  });

  test('rejects when the session is destroyed first, and from then on: nothing is sent any more', async () => {
    const room = new ScriptedRoom();
    await room.live();
    room.store.setValue('a', 1);
    const confirmed = room.session.whenConfirmed();
    room.session.destroy();
    await expect(confirmed).rejects.toMatchObject({ code: 'destroyed' });
    room.store.setValue('b', 1);
    await expect(room.session.whenConfirmed()).rejects.toMatchObject({ code: 'destroyed' });
  });
});
