import type { ReactNode } from 'react';
import { Board } from './board';

interface PageProperties {
  readonly searchParams: Promise<{ readonly room?: string }>;
}

/** A Server Component. The server renders the fallback of the room, and the browser enters the room. */
export default async function Page({ searchParams }: PageProperties): Promise<ReactNode> {
  const { room = 'lobby' } = await searchParams;
  return <Board room={room} />;
}
