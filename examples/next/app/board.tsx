'use client';
import { useState, type FormEvent, type ReactNode } from 'react';
import { getUniqueId } from 'tinybase';
import { useCell, useRowIds, useSortedRowIds, useStore } from 'tinybase/ui-react';
import { useRefusalListener } from 'tinybase-partykit/react';
import { RoomProvider, useRoom, useSync } from './client';

/** The notes of a room, and the people in it. */
export function Board({ room }: { readonly room: string }): ReactNode {
  return (
    <RoomProvider id={encodeURIComponent(room)} fallback={<p>One moment …</p>}>
      <Notes />
      <People />
      <Status />
    </RoomProvider>
  );
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

function Note({ id }: { readonly id: string }): ReactNode {
  return <li>{String(useCell('notes', id, 'text'))}</li>;
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

function Person({ id }: { readonly id: string }): ReactNode {
  return <li>{String(useCell('connections', id, 'name', 'presence'))}</li>;
}

function Status(): ReactNode {
  const { phase, unsaved } = useSync();
  return <p role="status">{`${phase}, ${unsaved} unsaved`}</p>;
}
