/** An app with `offline` and undo, over a client or over the persister alone. */
import { StrictMode, useState, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { PartySocket } from 'partysocket';
import { createStore } from 'tinybase';
import { Provider, useStore, useValueIds } from 'tinybase/ui-react';
import type { PartyKitPersister } from '../../../src/client/index.ts';
import { createIndexedDbOffline, createOffline } from '../../../src/client/offline/index.ts';
import { createClient } from '../../../src/client/room/index.ts';
import {
  createRoomHooks,
  TinyBasePartyKitError,
  usePartyKitPersister,
  useRefusalListener,
  useSync,
  useUndo,
} from '../../../src/react/index.ts';

const query = new URLSearchParams(location.search);
const host = query.get('host') ?? '';
const id = query.get('room') ?? '';

declare global {
  interface Window {
    reported: string[];
  }
}
window.reported = [];
const onIgnoredError = (error: unknown): void =>
  void window.reported.push(
    error instanceof TinyBasePartyKitError ? `${error.code}: ${error.message}` : String(error),
  );
const offline =
  query.get('storage') === 'broken'
    ? createOffline({ storage: () => Promise.reject(new Error('broken')), user: 'ann' })
    : createIndexedDbOffline({ user: 'ann' });
const client = createClient({
  createStore,
  host,
  reconnectTimeoutMs: 100,
  persister: { offline },
  onIgnoredError,
});
const { RoomProvider, useRoom } = createRoomHooks(client);

function Notes({ persister }: { readonly persister: PartyKitPersister | undefined }): ReactNode {
  const store = useStore();
  const { phase, unsaved } = useSync(persister);
  const { canUndo, canRedo, undo, redo } = useUndo(persister);
  useRefusalListener(persister, (refusals) => window.reported.push(JSON.stringify(refusals)));
  return (
    <>
      <input onChange={({ target }) => void store?.setValue(target.value, true)} />
      <button disabled={!canUndo} onClick={undo}>
        Undo
      </button>
      <button disabled={!canRedo} onClick={redo}>
        Redo
      </button>
      <p>{useValueIds().toSorted().join(' ')}</p>
      <output>
        {phase} {unsaved}
      </output>
    </>
  );
}

function Room(): ReactNode {
  return <Notes persister={useRoom().persister} />;
}

function Rooms(): ReactNode {
  const [isHere, setHere] = useState(true);
  if (!isHere) return null;
  return (
    <>
      <button onClick={() => setHere(false)}>Leave</button>
      <RoomProvider id={id}>
        <Room />
      </RoomProvider>
    </>
  );
}

function Stored(): ReactNode {
  const [store] = useState(createStore);
  const persister = usePartyKitPersister(
    store,
    () => new PartySocket({ host, room: id, maxReconnectionDelay: 300 }),
    [],
    { config: { offline }, onIgnoredError },
  );
  return (
    <Provider store={store}>
      <Notes persister={persister} />
    </Provider>
  );
}

createRoot(document.body.appendChild(document.createElement('main'))).render(
  <StrictMode>{query.get('with') === 'client' ? <Rooms /> : <Stored />}</StrictMode>,
);
