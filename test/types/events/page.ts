import { PartySocket } from 'partysocket';
import { createEvents, type Events } from 'tinybase-partykit/client/events';
import type { Annotated, BoardEvents, Inferred, Without } from './room.ts';

const socket = new PartySocket({ host: '127.0.0.1:1999', room: 'my_room' });

const inferred = createEvents<Inferred>(socket, { messagePrefix: 'p:', timeoutMilliseconds: 1 });
export const id: Promise<string> = inferred.call.addNote({ text: 'one' });
export const same: Promise<string> = inferred.call('addNote', { text: 'one', count: 2 });
export const nothing: Promise<undefined> = inferred.call.wave();
inferred.call.search('text').then((found) => {
  if (found.ok) console.log(found.found[0]);
  else console.log(found.reason);
});
inferred.call.take('text').then((taken) => {
  if (taken.ok) console.log(taken.count + 1);
  else console.log(taken.reason.length);
});
inferred.call.rate(1).then((rated) => {
  if (rated.ok) console.log(rated.stars + 1);
  else console.log(rated.reason.length);
});
inferred.addListener('taken', ({ text }) => console.log(text.length));
inferred.addListener('heads', (data) => console.log(data + 1));
inferred.addListener('tails', (data) => console.log(data.length));
inferred.addListener('skipped', ({ text }) => console.log(text.length));
export const skipped: Promise<number | undefined> = inferred.call.skip('text');
inferred.send.wave();
inferred.send.clear();
inferred.send('wave');
inferred.send.kick();
inferred.send.kick('me');
inferred.call.warn({ id: 'one' });
const listenerId: string = inferred.addListener('noteAdded', ({ id: added }, from) => {
  const text: string = added + (from ?? '');
  console.log(text);
});
inferred.delListener(listenerId);
inferred.addListener('waved', ({ by }) => console.log(by.length));
inferred.addListener('doubled', ({ value }) => console.log(value + 1));
inferred.addListener('warned', (data) => console.log(data.id));
inferred.addListener('announced', ({ text }) => console.log(text.length));
inferred.addListener('kicked', (data) => console.log(data.id));
inferred.addListener('left', (data: null) => console.log(data));
inferred.addListener('reload', (data: undefined) => console.log(data));
inferred.destroy();
// @ts-expect-error There is no such procedure.
inferred.call.addNotes({ text: 'one' });
// @ts-expect-error There is no such procedure.
inferred.call('addNotes', { text: 'one' });
// @ts-expect-error An event is no procedure.
inferred.call.announced({ text: 'one' });
// @ts-expect-error The input has another type.
inferred.call.addNote({ text: 1 });
// @ts-expect-error The input is missing.
inferred.call.addNote();
// @ts-expect-error The input has something else.
inferred.call.addNote({ text: 'one', other: 1 });
// @ts-expect-error There is no input.
inferred.send.wave('one');
// @ts-expect-error The input of another procedure.
inferred.send('doubleValue', { text: 'one' });
// @ts-expect-error The result has another type.
export const wrong: Promise<number> = inferred.call.addNote({ text: 'one' });
// @ts-expect-error There is no such event.
inferred.addListener('noteAded', () => undefined);
// @ts-expect-error A procedure is no event.
inferred.addListener('addNote', () => undefined);
// @ts-expect-error The data has another type.
inferred.addListener('noteAdded', ({ text }) => console.log(text));
// @ts-expect-error Not every result has it.
inferred.call.search('text').then(({ found }) => found.length);

const annotated: Events<BoardEvents> = createEvents<Annotated>(socket);
export const added: Promise<string> = annotated.call.addNote({ text: 'one' });
export const answer: Promise<number | undefined> = annotated.call.ask('why');
annotated.call.wave();
annotated.addListener('noteAdded', (data) => console.log(data.id));
annotated.addListener('asked', (data) => console.log(data.length));
annotated.addListener('announced', (data) => console.log(data.text));
// @ts-expect-error The input has another type.
annotated.call.addNote({ text: 1 });
// @ts-expect-error There is no such event.
annotated.addListener('added', () => undefined);

// @ts-expect-error The room has no events.
createEvents<Without>(socket).call.anything();
// @ts-expect-error The room has no events.
createEvents<Without>(socket).addListener('anything', () => undefined);

const untyped = createEvents(socket, { onIgnoredError: (error) => console.warn(error.code) });
export const unknown: Promise<unknown> = untyped.call('anything', 1);
untyped.send('anything');
untyped.addListener('anything', (data: unknown, from) => console.log(data, from));
