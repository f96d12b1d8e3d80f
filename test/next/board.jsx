'use client';
import { useValue } from 'tinybase/ui-react';
import { RoomProvider, useRoom, useSync } from './client.js';

function Greeting() {
  const { id } = useRoom();
  return (
    <p>
      {useValue('greeting')} from {id}, {useSync().phase}
    </p>
  );
}

export function Board({ id }) {
  return (
    <RoomProvider id={id} fallback={<p>One moment …</p>}>
      <Greeting />
    </RoomProvider>
  );
}
