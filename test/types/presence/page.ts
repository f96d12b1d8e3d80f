import { PartySocket } from 'partysocket';
import { createStore } from 'tinybase';
import { createPresence, type Presence } from 'tinybase-partykit/client/presence';
import type { Annotated, Inferred, Plain } from './room.ts';

const socket = new PartySocket({ host: '127.0.0.1:1999', room: 'my_room' });
const store = createStore();

const inferred = createPresence<Inferred>(store, socket, { initial: { x: 0 } });
inferred.set({ x: 1 });
inferred.set({ label: 'here' });
inferred.set({ label: undefined });
// @ts-expect-error A number is wanted.
inferred.set({ x: '1' });
// @ts-expect-error There is no such cell.
inferred.set({ y: 1 });
// @ts-expect-error There is no such cell.
createPresence<Inferred>(store, socket, { initial: { y: 1 } });

const annotated: Presence<{ x: number; label?: string }> = createPresence<Annotated>(store, socket);
annotated.set({ x: 1 });
// @ts-expect-error There is no such cell.
annotated.set({ y: 1 });

createPresence<Plain>(store, socket).set({ anything: [1, { deep: true }], y: 'text' });
const untyped = createPresence(store, socket, {
  messagePrefix: 'p:',
  onIgnoredError: (error) => console.warn(error.code),
});
untyped.set({ x: 1, y: null });
untyped.getStore().addRowListener('connections', untyped.getId(), () => untyped.destroy());
