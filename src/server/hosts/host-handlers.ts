import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { RoomLifecycle } from '../features/lifecycle/room-lifecycle.ts';
import type { MaybePromise } from '../room/maybe-promise.ts';
import type { RoomErrorSource } from '../room/room-options.ts';
import type { Room } from '../room/room.ts';
import type { RoomId } from './room-id.ts';
import type { HostedSocket, SocketHost } from './socket-host.ts';

/** The app's own method; undefined if it has none. */
type AppHandler = ((received: readonly unknown[]) => unknown) | undefined;

/** A method that a host calls, whatever it gives to it. */
type HostHandler = (...received: never[]) => Promise<unknown>;

export type HandlerName =
  | 'onStart'
  | 'getConnectionTags'
  | 'onConnect'
  | 'onRequest'
  | 'onMessage'
  | 'onClose'
  | 'onError'
  | 'onAlarm';

/** The parts of a room's server that handlers use. */
export interface HandlerParts<Connection extends HostedSocket, Request> {
  readonly room: Room<Connection, Request>;
  readonly host: SocketHost<Connection>;
  readonly roomId: RoomId;
  /** The lifecycle of a room that saves, and so shares its alarm with the app. */
  readonly saving: () => RoomLifecycle<Connection, Request> | undefined;
  /** Called before the room is loaded. */
  readonly onStarting: () => void;
  /** Resolves to false if the gate refuses sockets of that request. */
  readonly admits: (request: Request) => Promise<boolean>;
  /** The answer to a request whose handler threw. */
  readonly failure: (request: Request) => Response;
  /** The answer to a request while the room is not ready. Never rejects. */
  readonly answerUnavailable: (request: Request) => Promise<Response>;
  readonly report: (error: unknown, where: RoomErrorSource) => void;
}

/** The time for the app's `onClose` and `onError`. After that, others no longer see the connection as present. */
const LONGEST_END_MILLISECONDS = 5_000;

/** The time after which the app is told of an `onStart` that has not settled: whoever waits for it is told nothing. */
const SLOW_START_MILLISECONDS = 10_000;
const SLOW_START =
  'The onStart of the room has not settled for 10 s, and everybody waits for it: give its requests a time limit.';

const NO_RESPONSE_MESSAGE =
  'The onRequest of the room returned no Response: return one, and return super.onRequest(request) for all other requests.';

/**
 * The methods that hosts call, in front of those of the app. Hosts may call them before `onStart` is done, or after it failed: here
 * each waits until the room is loaded and `onStart` has run. The app hears only of connections that the gate has let in.
 */
export class HostHandlers<Connection extends HostedSocket, Request> {
  readonly #parts: HandlerParts<Connection, Request>;
  #starting: Promise<void> | undefined;
  /** Runs `onStart`, which the host called and which has not succeeded yet. */
  #heldStart: (() => Promise<void>) | undefined;
  #startingLate: Promise<boolean> | undefined;
  /** True once there is a gate or a feature, which hear of connections. */
  #isSeamUsed = false;

  constructor(parts: HandlerParts<Connection, Request>) {
    this.#parts = parts;
  }

  useSeam(): void {
    this.#isSeamUsed = true;
  }

  /** Returns the method for a host to call in front of each of the app's, by name. */
  readonly inFrontOf: Readonly<Record<HandlerName, (app: AppHandler) => HostHandler>> = {
    onStart:
      (app) =>
      async (...received) => {
        await this.#learnId(received);
        await this.#load();
        if (app === undefined) return;
        this.#heldStart = async () => void (await app(received));
        if (this.#parts.room.isLoaded) await this.#startLate();
      },

    getConnectionTags:
      (app) =>
      async (connection: Connection, context: { request: Request }, ...others: unknown[]) => {
        const received = [connection, context, ...others];
        const { room, admits } = this.#parts;
        const ready = this.#ready(received);
        if (ready !== true && !(await ready)) return [];
        // Hosts ask for tags before the gate decides about the connection.
        if (room.hasGate && !(await admits(context.request))) return [];
        try {
          return await app?.(received);
        } catch (error) {
          throw this.#fixedText(error, 'The room failed to accept the connection.');
        }
      },

    onConnect:
      (app) =>
      async (connection: Connection, context: { request: Request }, ...others: unknown[]) => {
        const received = [connection, context, ...others];
        const { room, host } = this.#parts;
        // Before the app can close it.
        const roomConnection = host.connectionOf(connection);
        // Without a gate, a feature and an `onConnect`, nobody needs the room loaded. It only counts the connection.
        if (!this.#isSeamUsed && (!room.hasSpaceFor(roomConnection) || app === undefined)) return;
        const ready = this.#ready(received);
        if (ready !== true && !(await ready)) {
          room.refuseUnloaded(roomConnection);
          return;
        }
        if (this.#isSeamUsed && !(await room.connected(roomConnection, context.request))) return;
        try {
          await app?.(received);
        } catch (error) {
          const failure = this.#fixedText(error, 'The room failed to accept the connection.');
          roomConnection.close(1011, failure.message);
          throw failure;
        }
      },

    onRequest:
      (app) =>
      async (request: Request, ...others: unknown[]) => {
        const received = [request, ...others];
        const { host, answerUnavailable, failure, report } = this.#parts;
        const ready = this.#ready(received);
        if (ready !== true && !(await ready)) return await answerUnavailable(request);
        try {
          const answer: unknown = await app?.(received);
          if (!(await host.heldFrames.whenReleased())) return failure(request);
          if (isResponse(answer)) return answer;
          throw new TinyBasePartyKitError('misuse', NO_RESPONSE_MESSAGE);
        } catch (error) {
          report(error, 'handler');
          return failure(request);
        }
      },

    onMessage:
      (app) =>
      async (message: unknown, connection: Connection, ...others: unknown[]) => {
        const received = [message, connection, ...others];
        const { room, host } = this.#parts;
        const roomConnection = host.connectionOf(connection);
        const ready = this.#ready(received);
        if (ready !== true) {
          const endWaiting = room.countWaiting(roomConnection, message);
          if (endWaiting === undefined) return;
          const isReady = await ready;
          endWaiting();
          if (!isReady) {
            room.refuseUnloaded(roomConnection);
            return;
          }
        }
        try {
          if (this.#isSeamUsed && !(await room.isAdmitted(roomConnection))) return;
          await app?.(received);
        } catch (error) {
          this.#reportAndThrow(error);
        } finally {
          // The app may have set its own state, which drops ours on some hosts.
          roomConnection.restoreSlots();
        }
      },

    onClose: (app) => this.#ended(app),
    onError: (app) => this.#ended(app),

    onAlarm:
      (app) =>
      async (...received) => {
        const { saving } = this.#parts;
        await this.#learnId(received);
        // Nothing of an ephemeral room is left: its own last alarm need not make it again.
        if (saving()?.isDisposed === true) return;
        const ready = this.#ready(received);
        const isReady = ready === true || (await ready);
        const saves = saving();
        const tellApp = async (): Promise<void> => {
          try {
            await app?.(received);
          } catch (error) {
            this.#reportAndThrow(error);
          }
        };
        if (saves !== undefined) await (isReady ? saves.alarmed(tellApp) : saves.postpone());
        else if (isReady) await tellApp();
        else {
          const message = 'The room could not be started: the alarm has to come again.';
          throw new TinyBasePartyKitError('unavailable', message);
        }
      },
  };

  #ended(app: AppHandler): HostHandler {
    return async (connection: Connection, ...others: unknown[]) => {
      const received = [connection, ...others];
      const { room, host } = this.#parts;
      let stopWaiting: (() => void) | undefined;
      host.ended(connection);
      try {
        const ready = this.#ready(received);
        if (ready !== true && !(await ready)) return;
        const isHeard = !this.#isSeamUsed || room.wasAdmitted(host.connectionOf(connection));
        if (!isHeard || app === undefined) return;
        stopWaiting = host.after(LONGEST_END_MILLISECONDS, () => this.#forget(connection));
        await app(received);
      } catch (error) {
        this.#reportAndThrow(error);
      } finally {
        stopWaiting?.();
        this.#forget(connection);
      }
    };
  }

  /** Ends a connection in the room. It may be called again. Also completes the closing of the socket, which some hosts leave half open. */
  #forget(connection: Connection): void {
    const { room, host } = this.#parts;
    const roomConnection = host.connectionOf(connection);
    host.forget(connection);
    room.disconnected(roomConnection);
    try {
      connection.close();
    } catch {
      // It is closed already.
    }
  }

  /** Waits for the room and for `onStart`. Returns or resolves to true if both are done. */
  #ready(received: readonly unknown[]): MaybePromise<boolean> {
    const learning = this.#learnId(received);
    const { room } = this.#parts;
    const isReady = this.#starting === undefined && room.isLoaded && this.#heldStart === undefined;
    return isReady && learning === undefined ? true : this.#becomeReady(learning);
  }

  async #becomeReady(learning: Promise<void> | undefined): Promise<boolean> {
    await learning;
    await this.#load();
    if (!this.#parts.room.isLoaded) return false;
    return this.#heldStart === undefined || (await this.#startLate());
  }

  /** Learns the room's id from what a host gives. Never rejects. */
  #learnId(received: readonly unknown[]): Promise<void> | undefined {
    const learning = this.#parts.roomId.learn(() => urlIn(received));
    return learning?.catch((error: unknown) => this.#parts.report(error, 'storage'));
  }

  /** Waits for the room with one promise for all, so that events keep their order. Never rejects. */
  #load(): Promise<void> {
    const { room, onStarting } = this.#parts;
    if (this.#starting !== undefined) return this.#starting;
    if (room.isLoaded) return Promise.resolve();
    onStarting();
    const end = (): void => {
      this.#starting = undefined;
    };
    // The failure was reported. A call that needs the content rejects with `unavailable`.
    this.#starting = room.start().then(end, end);
    return this.#starting;
  }

  /** Runs `onStart`, with one promise for all. Resolves to false if it throws: then the next event tries again. */
  #startLate(): Promise<boolean> {
    this.#startingLate ??= (async () => {
      const { host, report } = this.#parts;
      const tell = (): void => report(new TinyBasePartyKitError('misuse', SLOW_START), 'handler');
      const stopWaiting = host.after(SLOW_START_MILLISECONDS, tell);
      try {
        await this.#heldStart?.();
        this.#heldStart = undefined;
        return true;
      } catch (error) {
        report(error, 'handler');
        return false;
      } finally {
        stopWaiting();
        this.#startingLate = undefined;
      }
    })();
    return this.#startingLate;
  }

  /** Reports an error that the app threw, and throws it for the host: some tell nobody, and an alarm has to come again. */
  #reportAndThrow(error: unknown): never {
    this.#parts.report(error, 'handler');
    throw error;
  }

  /** Returns the error for a host in the place of one that the app threw: hosts send its text to clients, and some the stack. */
  #fixedText(error: unknown, message: string): Error {
    this.#parts.report(error, 'handler');
    const fixed = new Error(message);
    fixed.stack = message;
    return fixed;
  }
}

/** An app without types may return anything. Another copy of the platform's class is a Response, too. */
function isResponse(answer: unknown): boolean {
  return typeof answer === 'object' && answer !== null && 'status' in answer && 'headers' in answer;
}

/** Returns the URL of the request or connection that a handler received, in whichever place it is. */
function urlIn(received: readonly unknown[]): string | undefined {
  for (const candidate of received) {
    if (typeof candidate !== 'object' || candidate === null) continue;
    for (const key of ['url', 'uri']) {
      const url: unknown = Reflect.get(candidate, key);
      if (typeof url === 'string' && URL.canParse(url)) return url;
    }
  }
  return undefined;
}
