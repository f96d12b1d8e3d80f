import type { SourceMutation } from './source-mutation.ts';

const ROOM = 'server/features/events/room-events.ts';

/** The mutations of EVENT that no history can show: these are about input, names, limits and the callers of a save. */
export const EVENT_MUTATIONS: readonly SourceMutation[] = [
  {
    title: '[EVENT-3] a procedure gets what the client sent, and not what the schema made of it',
    file: ROOM,
    text: 'call.input = validation.value;',
    replacement: 'call.input = input;',
  },
  {
    title: '[EVENT-3] a client is told what a procedure threw',
    file: ROOM,
    text: "new TinyBasePartyKitError('failed', FAILED);",
    replacement: "new TinyBasePartyKitError('failed', String(error));",
  },
  {
    title: '[EVENT-4] a procedure may have the name of what functions have',
    file: 'protocol/events/event-names.ts',
    text: 'return name in FUNCTION || ',
    replacement: 'return ',
  },
  {
    title: '[EVENT-6] calls that ended still count as under way',
    file: ROOM,
    text: '      this.#underWay.end(connection, length);\n',
    replacement: '',
  },
  {
    title: '[EVENT-6] what a call makes the room send costs its connection nothing',
    file: ROOM,
    text: 'this.#room.charge(connection, lengthOf(broadcast) * others.length + lengthOf(self));',
    replacement: '',
  },
  {
    title:
      '[EVENT-7] a connection of which the host could not attach that it came later is taken for the first',
    file: ROOM,
    text: '    if (!others.every((other) => this.#isNamesake(other))) return true;\n',
    replacement: '',
  },
  {
    title: '[EVENT-8] an async procedure names its caller only until it waits',
    file: 'server/room/represented-callers.ts',
    text: '      this.#underWay.add(entry);\n',
    replacement: '',
  },
];
