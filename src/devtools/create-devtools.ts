import type { Refusal, Sync } from '../client/index.ts';
import { assertOptions, notGot, type OptionKind } from '../protocol/option-kinds.ts';
import { errorOfUnknownOptions } from '../protocol/unknown-options.ts';
import { warn } from '../protocol/warn.ts';
import { bytesOf } from './byte-text.ts';
import type { Devtools, DevtoolsOptions, WatchedPersister } from './devtools-options.ts';
import { Panel } from './panel.ts';
import { MOST_FRAMES, Traffic } from './traffic.ts';

/** Every option; the compiler complains if one is missing. */
const OPTIONS: Readonly<Record<keyof DevtoolsOptions, OptionKind>> = {
  name: 'string',
  messagePrefix: 'string',
  corner: 'bottom-left or bottom-right or top-left or top-right',
  parent: '',
  isOpen: 'boolean',
};

/**
 * Shows a panel with what a persister does: its phase, version, room, unsaved and local-only edits, refusals, catch-up and frames. It
 * shows no content: TinyBase's Inspector does.
 *
 * Call it right after `createPartyKitPersister`, so that it sees every frame. The panel is in a shadow root.
 *
 * @example
 * ```ts
 * import { PartySocket } from 'partysocket';
 * import { createStore } from 'tinybase';
 * import { createPartyKitPersister } from 'tinybase-partykit/client';
 * import { createDevtools } from 'tinybase-partykit/devtools';
 *
 * const socket = new PartySocket({ host: location.host, room: 'my-board' });
 * const persister = createPartyKitPersister(createStore(), socket);
 * const devtools = createDevtools(persister);
 * await persister.startAutoPersisting();
 * addEventListener('pagehide', () => devtools.destroy());
 * ```
 */
export function createDevtools(
  persister: WatchedPersister,
  options: DevtoolsOptions = {},
): Devtools {
  if (!hasMethod(persister, 'addRefusalListener'))
    throw notGot('createDevtools', 'persister as its first parameter');
  assertOptions('createDevtools', options, OPTIONS);
  const unknown = errorOfUnknownOptions(options, OPTIONS, 'The object for createDevtools');
  if (unknown) warn(unknown);
  const { name, messagePrefix = '', corner = 'bottom-left', parent, isOpen = false } = options;
  // Such as the null of an element that the page does not have.
  if (parent !== undefined && !hasMethod(parent, 'append'))
    throw notGot('createDevtools', 'element as its option parent');
  const socket = persister.getConnection();
  let loadedBytes: number | undefined;
  let content: { readonly of: unknown; readonly bytes: number | undefined } | undefined;
  let frameRequest: number | undefined;

  const title = (): string => name ?? socket.room ?? '';
  /** Measures once for each catch-up: a large content takes a while. */
  const contentBytes = (): number | undefined => {
    if (content === undefined || content.of !== traffic.catchUp)
      content = { of: traffic.catchUp, bytes: measure(persister) };
    return content.bytes;
  };
  const show = (): void => {
    frameRequest = undefined;
    const sync = persister.getSync();
    panel.showOnLauncher(sync, title());
    if (!panel.isOpen) return;
    panel.show({
      sync,
      title: title(),
      room: roomText(socket.roomUrl),
      traffic,
      contentBytes: contentBytes(),
      loadedBytes,
    });
  };
  /** Shows it with the next picture of the browser, however much happens until then. */
  const showSoon = (): void => {
    frameRequest ??= requestAnimationFrame(show);
  };

  const panel = new Panel(corner, parent === undefined, () => {
    panel.listFrames(traffic.frames, MOST_FRAMES);
    show();
  });
  const traffic = new Traffic(
    socket,
    messagePrefix,
    () => performance.now(),
    (frame) => {
      // A panel that is closed costs no more than the counting.
      if (!panel.isOpen) return;
      panel.addFrame(frame, MOST_FRAMES);
      showSoon();
    },
  );
  const listenerIds = [
    persister.addSyncListener((_persister, sync: Sync) => {
      if (sync.loadedBytes !== undefined) ({ loadedBytes } = sync);
      showSoon();
    }),
    persister.addRefusalListener((_persister, refusals: readonly Refusal[]) => {
      const now = new Date();
      for (const refusal of refusals) panel.addRefusal(refusal, now);
      showSoon();
    }),
  ];

  const { element } = panel;
  // As the page is: one that says nothing of dark and light follows the system.
  if (getComputedStyle(document.documentElement).colorScheme === 'normal')
    element.style.colorScheme = 'light dark';
  (parent ?? document.body).append(element);
  show();
  if (isOpen) panel.open();

  return {
    element,
    open: () => panel.open(),
    close: () => panel.close(),
    destroy: () => {
      traffic.stop();
      for (const id of listenerIds) persister.delListener(id);
      if (frameRequest !== undefined) cancelAnimationFrame(frameRequest);
      element.remove();
    },
  };
}

/** As code without types may give something else. */
function hasMethod(candidate: unknown, name: string): boolean {
  return typeof Reflect.get(Object(candidate), name) === 'function';
}

/** Returns the size of the content as JSON; undefined if the Store cannot read it. */
function measure(persister: WatchedPersister): number | undefined {
  try {
    return bytesOf(JSON.stringify(persister.getStore().getContent()));
  } catch {
    return undefined;
  }
}

/** Returns host and path of the room, as people read it. The query is left out: it may have a token. */
function roomText(roomUrl: string): string {
  const [withoutQuery = ''] = roomUrl.split('?');
  return withoutQuery.replace(/^wss?:\/\//, '');
}
