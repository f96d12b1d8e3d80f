/** A page that mounts the hooks of `src/react` when a test says so, and counts its sockets. */
import * as React from 'react';
import { StrictMode, useState, type FunctionComponent, type ReactNode } from 'react';
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';
import { PartySocket } from 'partysocket';
import { createStore } from 'tinybase';
import { Provider, useCreateStore, useRowIds, useStore, useValue } from 'tinybase/ui-react';
import { createPartyKitPersister, type PartyKitPersister } from '../../../src/client/index.ts';
import { createClient } from '../../../src/client/room/index.ts';
import { createRoomHooks, usePartyKitPersister, useSync } from '../../../src/react/index.ts';

/** A tree that the page can show. */
export type Shown =
  | { readonly type: 'nothing' }
  /** A `RoomProvider`, or two of one room. */
  | {
      readonly type: 'room';
      readonly id: string;
      readonly count?: number;
      readonly party?: string;
      readonly isHidden?: boolean;
    }
  /**
   * A Store with `usePartyKitPersister`. With `isShared`, all mounts have the same socket, as one of a module. With `isAway`, no server
   * answers. `token` is another dependency. With `isNew`, there is one more, which is made anew in each render.
   */
  | {
      readonly type: 'store';
      readonly id: string;
      readonly isShared?: boolean;
      readonly isAway?: boolean;
      readonly token?: string;
      readonly isNew?: boolean;
    }
  /** The persister of a Store that another one has. */
  | { readonly type: 'second'; readonly id: string };

/** The things that a test can do on the page. */
export interface TestedPage {
  /** Shows a tree, in strict mode, and sets a Value if asked to, before it returns. */
  show(shown: Shown, value?: string): void;
  /** Renders a provider again, with the same children. Returns how often components within it were rendered. */
  renderProvider(): number;
  /** The phases that were rendered since the last call. */
  takePhases(): readonly string[];
  /** The errors that were reported to the app. */
  errors(): readonly string[];
  /** The number of sockets that were made, and of those that are not closed. */
  sockets(): { readonly made: number; readonly open: number };
  /** Lets each token wait until this is called. */
  holdTokens(): void;
  releaseTokens(): void;
  /** Stops the persister of a room for good, as another persister on its socket does. */
  replacePersister(id: string): void;
  /** Starts or stops the persister of a Store that another one has. */
  follow(isFollowing: boolean): void;
  /** Enters a room that is entered already, as a button does that tries again. */
  enterAgain(id: string): Promise<void>;
}

declare global {
  interface Window {
    tested: TestedPage;
  }
}

const host = new URLSearchParams(location.search).get('host') ?? '';
const sockets: WebSocket[] = [];
const errors: string[] = [];
const onIgnoredError = (error: unknown): void => void errors.push(String(error));

class CountedSocket extends WebSocket {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols);
    sockets.push(this);
  }
}

let held: Promise<void> | undefined;
let release: () => void = () => undefined;

const client = createClient({
  createStore,
  host,
  party: 'present',
  WebSocket: CountedSocket,
  initialPresence: { x: 1 },
  onIgnoredError,
  token: async () => {
    await held;
    return 'token';
  },
});
const hooks = createRoomHooks(client);
const { Activity = ({ children }) => children } = React as {
  readonly Activity?: FunctionComponent<{ mode: string; children: ReactNode }>;
};

let setValue: ((value: string) => void) | undefined;

function Content({ phase }: { readonly phase: string }): ReactNode {
  const store = useStore();
  phases.push(phase);
  setValue = (value) => store?.setValue(value, value);
  renders++;
  return (
    <p>
      {phase}: {JSON.stringify(useValue('first') ?? null)},{' '}
      {useRowIds('connections', 'presence').length} here
    </p>
  );
}

let phases: string[] = [];
let renders = 0;
let renderFrame: () => void = () => undefined;

/** As an app's layout: it has a state of its own, and its children come from outside. */
function Frame({
  id,
  party = 'present',
  children,
}: {
  readonly id: string;
  readonly party?: string | undefined;
  readonly children: ReactNode;
}): ReactNode {
  const [, setCount] = useState(0);
  renderFrame = () => setCount((count) => count + 1);
  return (
    <hooks.RoomProvider id={id} options={{ party }} fallback="fallback">
      {children}
    </hooks.RoomProvider>
  );
}

function RoomContent(): ReactNode {
  const { id } = hooks.useRoom();
  return (
    <>
      <h1>{id}</h1>
      <Content phase={hooks.useSync().phase} />
    </>
  );
}

let shared: PartySocket | undefined;

function StoreContent({
  id,
  isShared = false,
  isAway = false,
  token = 'token',
  isNew = false,
}: Omit<Shown & { readonly type: 'store' }, 'type'>): ReactNode {
  const store = useCreateStore(createStore, [id]);
  const create = (): PartySocket =>
    new PartySocket({
      host: isAway ? 'localhost:1' : host,
      party: 'present',
      room: id,
      query: { token },
      WebSocket: CountedSocket,
    });
  const persister = usePartyKitPersister(
    store,
    () => (isShared ? (shared ??= create()) : create()),
    [id, token, ...(isNew ? [create] : [])],
    { onIgnoredError },
  );
  if (persister !== undefined && persister.getStore() !== store)
    errors.push(`${id} was rendered with the persister of ${persister.getConnection().room}`);
  const { phase } = useSync(persister);
  return (
    <Provider store={store}>
      <Content phase={persister === undefined ? 'no persister' : phase} />
    </Provider>
  );
}

let second: PartyKitPersister | undefined;

function createSecond(id: string): PartyKitPersister {
  const store = createStore();
  const create = (): PartyKitPersister =>
    createPartyKitPersister(store, new PartySocket({ host, party: 'present', room: id }));
  void create().startAutoLoad();
  return create();
}

function SecondContent({ id }: { readonly id: string }): ReactNode {
  return <p>{useSync((second ??= createSecond(id))).phase}</p>;
}

function Tree({ shown }: { readonly shown: Shown }): ReactNode {
  if (shown.type === 'nothing') return null;
  if (shown.type === 'second') return <SecondContent id={shown.id} />;
  if (shown.type === 'store') return <StoreContent {...shown} />;
  const { id, count = 1, isHidden = false, party } = shown;
  const providers = Array.from({ length: count }, (_item, index) => (
    <Frame key={index} id={id} party={party}>
      <RoomContent />
    </Frame>
  ));
  return <Activity mode={isHidden ? 'hidden' : 'visible'}>{providers}</Activity>;
}

const root = createRoot(document.body.appendChild(document.createElement('main')));

window.tested = {
  show: (shown, value) => {
    if (value !== undefined) setValue?.(value);
    flushSync(() =>
      root.render(
        <StrictMode>
          <Tree shown={shown} />
        </StrictMode>,
      ),
    );
  },
  renderProvider: () => {
    renders = 0;
    flushSync(renderFrame);
    return renders;
  },
  takePhases: () => {
    const taken = phases;
    phases = [];
    return taken;
  },
  errors: () => errors,
  sockets: () => ({
    made: sockets.length,
    open: sockets.filter(({ readyState }) => readyState !== WebSocket.CLOSED).length,
  }),
  holdTokens: () => {
    held = new Promise((resolve) => {
      release = resolve;
    });
  },
  releaseTokens: () => release(),
  replacePersister: (id) => {
    const room = client.getRoom(id);
    if (room !== undefined) createPartyKitPersister(createStore(), room.socket);
  },
  follow: (isFollowing) => void (isFollowing ? second?.startAutoLoad() : second?.stopAutoLoad()),
  enterAgain: async (id) => {
    await client.enter(id);
  },
};
