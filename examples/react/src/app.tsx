import { StrictMode, useState, type FormEvent, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { createStore, getUniqueId } from 'tinybase';
import { useCell, useRowIds, useSortedRowIds, useStore } from 'tinybase/ui-react';
import { createClient } from 'tinybase-partykit/client/room';
import { createRoomHooks, useRefusalListener } from 'tinybase-partykit/react';
import type NotesRoom from './room.ts';

const parameters = new URLSearchParams(location.search);
const roomId = parameters.get('room') || 'lobby';
const name = parameters.get('name') || `Guest ${Math.ceil(Math.random() * 99)}`;

const client = createClient<NotesRoom>({
  createStore,
  host: location.host,
  protocol: location.protocol === 'https:' ? 'wss' : 'ws',
  initialPresence: { name },
  onIgnoredError: (error) => console.warn(error),
});
const { RoomProvider, useRoom, useSync } = createRoomHooks(client);

function Note({ id }: { readonly id: string }): ReactNode {
  return <li>{String(useCell('notes', id, 'text'))}</li>;
}

function Notes(): ReactNode {
  const store = useStore();
  const { persister } = useRoom();
  const [problem, setProblem] = useState('');
  useRefusalListener(persister, (refusals) => setProblem(`${refusals.length} edits were refused`));
  const add = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get('text'));
    store?.setRow('notes', getUniqueId(), { text, createdAt: Date.now() });
    event.currentTarget.reset();
  };
  return (
    <>
      <h1>Notes</h1>
      <form onSubmit={add}>
        <input name="text" aria-label="Note" required autoComplete="off" />
        <button>Add</button>
      </form>
      <ul>
        {useSortedRowIds('notes', 'createdAt').map((id) => (
          <Note key={id} id={id} />
        ))}
      </ul>
      <p>{problem}</p>
    </>
  );
}

function Person({ id }: { readonly id: string }): ReactNode {
  return <li>{String(useCell('connections', id, 'name', 'presence'))}</li>;
}

function People(): ReactNode {
  return (
    <ul aria-label="Here">
      {useRowIds('connections', 'presence').map((id) => (
        <Person key={id} id={id} />
      ))}
    </ul>
  );
}

function Status(): ReactNode {
  const { phase, unsaved } = useSync();
  return <p role="status">{`${phase}, ${unsaved} unsaved`}</p>;
}

const root = document.getElementById('app');
if (root !== null)
  createRoot(root).render(
    <StrictMode>
      <RoomProvider id={encodeURIComponent(roomId)} fallback={<p>One moment …</p>}>
        <Notes />
        <People />
        <Status />
      </RoomProvider>
    </StrictMode>,
  );
