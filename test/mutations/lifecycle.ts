import type { SourceMutation } from './source-mutation.ts';

/** The mutations of LIFE and SAVE that no history can show. */
export const LIFECYCLE_MUTATIONS: readonly SourceMutation[] = [
  {
    title: '[SAVE-8] onUserDisconnected is called within a write of the room',
    file: 'server/features/lifecycle/user-visits.ts',
    text: '?? Promise.resolve();',
    replacement: ';',
  },
  {
    title: '[LIFE-8] a room is wiped before its turn',
    file: 'server/room/room.ts',
    text: 'await this.#parts.queue.add(() => this.#persistence.wipe());',
    replacement: 'await this.#persistence.wipe();',
  },
  {
    title: '[LIFE-8] what the server of TinyBase left stays',
    file: 'server/history/room-persistence.ts',
    text: 'await this.empty(removeStockContent(host.storage, settings.storagePrefix));',
    replacement: 'await this.empty(Promise.resolve());',
  },
  {
    title: '[LIFE-9] handlers run though onStart has thrown',
    file: 'server/hosts/host-handlers.ts',
    text: 'return this.#heldStart === undefined || (await this.#startLate());',
    replacement: 'void this.#startLate();\n    return true;',
  },
  {
    title: '[LIFE-9] nobody is told of an onStart for which everybody waits',
    file: 'server/hosts/host-handlers.ts',
    text: 'host.after(SLOW_START_MILLISECONDS, tell)',
    replacement: 'host.after(1e9, () => undefined)',
  },
  {
    title: '[LIFE-10] a room starts though its config may be meant to keep somebody out',
    file: 'server/history/room-persistence.ts',
    text: 'if (refusal !== undefined)',
    replacement: 'if (false)',
  },
  {
    title:
      '[LIFE-11] a room starts though a method that may be meant to keep somebody out is not called',
    file: 'server/config/app-check.ts',
    text: 'uncalled.refusal, withoutGate',
    replacement: 'withoutGate',
  },
  {
    title:
      '[LIFE-10] a room starts though an option outside of its config may be meant to keep somebody out',
    file: 'server/config/app-check.ts',
    text: 'withoutGate, misplaced.refusal',
    replacement: 'withoutGate',
  },
  {
    title: '[LIFE-10] a room lets everybody in though its class has rules for users',
    file: 'server/config/app-check.ts',
    text: 'refusalWithoutGate(server, base)',
    replacement: 'undefined',
  },
];
