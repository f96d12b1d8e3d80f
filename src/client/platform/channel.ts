/** The one file that listens to a PartySocket. */
import type PartySocket from 'partysocket';

import { ERRORS, TinyBasePartyKitError } from '../../protocol/errors.ts';
import { encodeFrame, readFrame, splitFrame, type Frame } from '../../protocol/frame.ts';
import * as errorMessage from '../../protocol/messages/error.ts';
import { callAfter } from './call-after.ts';
import { refusedTwice } from '../session/refused-twice.ts';
import type { SessionSocket, SocketClosing } from '../session/session-ports.ts';

/** Dispatched on a PartySocket when a newer part with the same prefix and letter takes it over. */
const TAKEN_OVER = 'tinybase-partykit::';

/** Dispatched on a PartySocket before another part than the persister sends: what came earlier goes first. */
const SENDING = 'tinybase-partykit:send';

/** Dispatched on a PartySocket when a part stops it, with the `error`. Every part hears it, including that one. */
const STOPPED = 'tinybase-partykit:stop';

/** Dispatched on a PartySocket when its query was asked for. `error` says why there is none; undefined if there is one. */
const QUERIED = 'tinybase-partykit:query';

/** `WebSocket.OPEN`, which need not exist as a global (RFC 6455; WHATWG WebSockets, section 3.1). */
const OPEN = 1;

/** So soon after a connection was made anew, it is the room's to close the next one: PartySocket then pauses (GATE-7). */
const RECENT_MILLISECONDS = 1000;

/** The part of a client that listens to a socket: a persister, or a feature. */
export interface SocketListener {
  /** The socket is open. */
  readonly onOpen?: () => void;
  /** The socket is not open any more, or has failed to open. */
  readonly onClose?: () => void;
  /** The socket is open again and leads to another room. Called before `onOpen`. */
  readonly onAnotherRoom?: () => void;
  /** A newer part of the same kind uses the socket now. `owner` is the object that it works for. */
  readonly onTakenOver?: (owner: unknown) => void;
  /** The query of the socket was asked for. With an error there is none, so no connection is tried. */
  readonly onQueried?: (error: unknown) => void;
  /** The socket was stopped: each further attempt would be refused the same way. PartySocket tries no more. */
  readonly onStopped?: (error: TinyBasePartyKitError) => void;
}

/** The listener of a {@link Channel}. */
export interface ChannelListener extends SocketListener {
  /** A frame with the letter of the channel came; `json` is the rest of it, not parsed. */
  readonly onFrame: (json: string) => void;
  /** The room has refused the connection, or something on it, and PartySocket tries again. The same error comes once. */
  readonly onRefused?: (error: TinyBasePartyKitError) => void;
}

/** The last close of a PartySocket, as it tells of it. */
export interface LastClose extends Pick<SocketClosing, 'isMeant'> {
  readonly event: (Event & { readonly code?: unknown; readonly reason?: unknown }) | undefined;
}

/** Frames of one letter, on a PartySocket that other parts use as well. */
export interface Channel {
  isOpen(): boolean;
  /** Sends a frame. Returns false if the socket is not open: then nothing is sent or queued (FRAME-3). */
  send(json: string): boolean;
  /** Stops listening. The socket stays open. */
  close(): void;
}

/**
 * Opens a channel for the frames `<prefix><letter>…`. A later channel with the same prefix and letter takes over. An error
 * of the room that would end every attempt stops the socket for all parts that use it.
 */
export function openChannel(
  connection: PartySocket,
  prefix: string,
  letter: string,
  listener: ChannelListener,
): Channel {
  /** True if the last token had expired, and nothing but errors came since. */
  let hasExpired = false;
  /** The message of the last refusal, if nothing but errors came since. */
  let refused: string | undefined;
  const { socket, detach, isStopped } = attachToPartySocket(connection, prefix + letter, {
    ...listener,
    onMessage: (data) => {
      const frame = readFrame(prefix, data);
      const error = errorOf(frame);
      // Whatever else comes, also for another part: the last token was good.
      if (error === undefined) {
        hasExpired = false;
        refused = undefined;
      }
      if (frame?.letter === letter) listener.onFrame(frame.json);
      // Another part has dealt with that. Only the persister knows whether it is the client that was replaced.
      if (error === undefined || isStopped() || error.code === 'replaced') return;
      // Errors about one message do not end the connection. After the others, PartySocket tries again by itself.
      if (error.code !== 'expired') {
        if (isTerminal(error)) socket.stop(error);
        else if (error.message !== refused) listener.onRefused?.(error);
        refused = error.message;
      } else if (hasExpired) socket.stop(refusedTwice(error));
      else {
        hasExpired = true;
        socket.reconnect();
      }
    },
    onStopped: (error) => {
      hasExpired = false;
      listener.onStopped?.(error);
    },
    onTakenOver: (owner) => {
      detach();
      listener.onTakenOver?.(owner);
    },
  });
  return {
    isOpen: () => socket.isOpen(),
    send: (json) => {
      const target: EventTarget = connection;
      target.dispatchEvent(new Event(SENDING));
      // What was sent first may have failed.
      if (socket.isOpen()) socket.send(encodeFrame(prefix, letter, json));
      return socket.isOpen();
    },
    close: detach,
  };
}

/**
 * Listens to a PartySocket on behalf of one part, and takes it over from an older one with the same key. The part must
 * send only while the socket is open: PartySocket would send what it queued ahead of `hello` (FRAME-3).
 */
export function attachToPartySocket(
  connection: PartySocket,
  key: string,
  listener: SocketListener & {
    /** A message came: a frame, or one of several in it (FRAME-5). */
    readonly onMessage: (frame: string) => void;
    /** Another part is about to send. */
    readonly onOthersSend?: () => void;
  },
  owner?: object,
): {
  readonly socket: Omit<SessionSocket, 'closing'>;
  readonly detach: () => void;
  /** Returns how the socket was closed last. */
  readonly lastClose: () => LastClose;
  /** Returns true if a part has stopped the socket, and nobody has opened it again. */
  readonly isStopped: () => boolean;
} {
  /** The room to which it is connected, or was; empty if that is not known. */
  let roomUrl = connection.readyState === OPEN && isElsewhere(connection) ? '' : connection.roomUrl;
  let isStopped = false;
  /** True for a while after it was told to connect again. */
  let isRecent = false;
  /** True if it was told so once more. */
  let isAsked = false;
  let lastClose: Event | undefined;
  /** True if this side ended the last connection. */
  let isMeant = false;
  const target: EventTarget = connection;
  const listeners: readonly (readonly [string, (event: Event) => void])[] = [
    [
      'open',
      () => {
        isStopped = false;
        if (connection.roomUrl !== roomUrl) {
          ({ roomUrl } = connection);
          listener.onAnotherRoom?.();
          // Perhaps the app has pointed it there while it connected.
          if (isElsewhere(connection)) {
            reconnect();
            return;
          }
        }
        listener.onOpen?.();
      },
    ],
    [
      'close',
      (event) => {
        // From here on, PartySocket connects anew by itself.
        isAsked = false;
        lastClose = event;
        // PartySocket counts its attempts from 0 after reconnect(), and has begun the next one already.
        isMeant = connection.retryCount === 0 || !connection.shouldReconnect;
        listener.onClose?.();
      },
    ],
    [
      'message',
      (event) => {
        if (!('data' in event)) return;
        const { data } = event;
        // The app may have pointed the socket at another room: then it is about to close.
        if (typeof data === 'string' && connection.roomUrl === roomUrl)
          splitFrame(data).forEach(listener.onMessage);
      },
    ],
    [SENDING, () => listener.onOthersSend?.()],
    [
      TAKEN_OVER + key,
      (event) => listener.onTakenOver?.('owner' in event ? event.owner : undefined),
    ],
    [QUERIED, (event) => listener.onQueried?.('error' in event ? event.error : undefined)],
    [
      STOPPED,
      (event) => {
        if (!('error' in event) || !(event.error instanceof TinyBasePartyKitError)) return;
        isStopped = true;
        listener.onStopped?.(event.error);
      },
    ],
  ];
  const reconnect = (): void => {
    isStopped = false;
    // Another part may have asked for a new connection already, and a new one is the room's to close.
    if (connection.readyState < OPEN) return;
    isAsked = isRecent && connection.readyState === OPEN;
    if (isAsked) return;
    isRecent = true;
    callAfter(RECENT_MILLISECONDS, () => {
      isRecent = false;
      // A socket may close for long, and PartySocket does nothing until it is closed.
      if (isAsked && connection.shouldReconnect) reconnect();
    });
    connection.reconnect();
  };
  target.dispatchEvent(Object.assign(new Event(TAKEN_OVER + key), { owner }));
  for (const [type, listen] of listeners) target.addEventListener(type, listen);
  return {
    socket: {
      // One that is about to be closed may lack a frame.
      isOpen: () => connection.readyState === OPEN && connection.roomUrl === roomUrl && !isAsked,
      address: () => connection.roomUrl,
      send: (frame) => {
        try {
          connection.send(frame);
        } catch (error) {
          // An app's own WebSocket may throw. The room lacks this frame, so nothing may follow it.
          // oxlint-disable-next-line no-console -- The parts go on, and it may happen again and again.
          console.error(error);
          reconnect();
        }
      },
      reconnect,
      stop: (error) => {
        if (isStopped) return;
        connection.close(ERRORS[error.code].closeCode, error.code);
        target.dispatchEvent(Object.assign(new Event(STOPPED), { error }));
      },
    },
    detach: () => {
      isAsked = false;
      for (const [type, listen] of listeners) target.removeEventListener(type, listen);
    },
    lastClose: () => ({ isMeant, event: lastClose }),
    isStopped: () => isStopped,
  };
}

/** Returns true if the connection is to another room: the app has pointed the socket elsewhere since. */
function isElsewhere({
  roomUrl,
  url,
}: {
  readonly roomUrl: string;
  readonly url?: string;
}): boolean {
  // Not every platform tells it, and some tell it as the parser writes it.
  const start = `${roomUrl}?`;
  return !!url && !url.startsWith(start) && !url.startsWith(new URL(start).href);
}

/** Tells all parts of a PartySocket that its query was asked for, and the error if there is none. */
export function tellQueried(connection: EventTarget, error?: unknown): void {
  connection.dispatchEvent(Object.assign(new Event(QUERIED), { error }));
}

/** Returns the error in a frame of the room; undefined if it is another frame. */
export function readError(prefix: string, data: unknown): TinyBasePartyKitError | undefined {
  return errorOf(readFrame(prefix, data));
}

function errorOf(frame: Frame | undefined): TinyBasePartyKitError | undefined {
  if (frame?.letter !== errorMessage.letter) return undefined;
  try {
    const { code, message } = errorMessage.decode(frame.json);
    return new TinyBasePartyKitError(code, message);
  } catch {
    // With an empty prefix, the frame may be the app's own.
    return undefined;
  }
}

/** Returns true if each further attempt would get the same error. */
function isTerminal({ code, isRetryable }: TinyBasePartyKitError): boolean {
  return !isRetryable && code !== 'malformed' && code !== 'too-large';
}
