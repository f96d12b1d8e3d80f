import { expect, test } from 'vitest';

import { AttachmentSlots } from '../../../src/server/hosts/attachment-slots.ts';

/** A socket as the runtime has it: what is attached outlives whoever attached it. */
class NativeSocket {
  #attachment: unknown;

  serializeAttachment(attachment: unknown): void {
    this.#attachment = structuredClone(attachment);
  }

  deserializeAttachment(): unknown {
    return structuredClone(this.#attachment);
  }
}

test('[SEAM-4] slots of several features survive a hibernation, beside what the app has attached', () => {
  const errors: unknown[] = [];
  const socket = new NativeSocket();
  const wake = (): AttachmentSlots =>
    new AttachmentSlots({ socket }, (error) => errors.push(error));
  socket.serializeAttachment({ app: 1 });
  const slots = wake();
  slots.write('auth', { user: 'ada' });
  slots.write('presence', { x: 1 });
  const later = wake();
  expect([later.read('auth'), later.read('presence')]).toEqual([{ user: 'ada' }, { x: 1 }]);
  expect(socket.deserializeAttachment()).toMatchObject({ app: 1 });
  later.write('presence', null);
  expect([wake().read('auth'), wake().read('presence')]).toEqual([{ user: 'ada' }, undefined]);
  later.write('auth', null);
  expect(socket.deserializeAttachment()).toEqual({ app: 1 });
  expect(errors).toEqual([]);
});
