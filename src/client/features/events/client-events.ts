import type { Id } from 'tinybase';

import { TinyBasePartyKitError, type ErrorCode } from '../../../protocol/errors.ts';
import { encode, READ } from '../../../protocol/events/event-from-client.ts';
import { decode, type EventFromRoom } from '../../../protocol/events/event-from-room.ts';
import { namedCalls } from '../../../protocol/events/named-calls.ts';
import { ANOTHER_ID_MILLISECONDS } from '../../platform/another-id.ts';
import type { Channel, ChannelListener } from '../../platform/channel.ts';
import { reportLater } from '../../platform/report-later.ts';
import { assertListener } from '../../session/listeners.ts';
import type { Events, EventsOptions } from './events.ts';

/** Everything that events take from outside. */
export interface EventsPort {
  readonly open: (listener: ChannelListener) => Channel;
  /** Gives the socket another id, closes it, and opens it again. */
  readonly takeAnotherId: () => void;
  /** Calls back once, later; returns a function that prevents it. */
  readonly after: (milliseconds: number, callback: () => void) => () => void;
}

/** A call that has not ended. */
interface Call {
  readonly json: string;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: TinyBasePartyKitError) => void;
  readonly isAwaited: boolean;
  readonly cancelTimeout: () => void;
  isSent: boolean;
}

/** Calls that have not ended. A page that makes more of them does not notice that nothing is answered. */
const MOST_CALLS = 1_000;
/** The length of frames after which the room is told that they were read (`EVENT-7`). */
const READ_LENGTH = 256 * 1024;
const MAYBE = 'The room may have run it, or not.';
const NO_EVENTS = 'If it answers no call, it has no createEvents, or another messagePrefix.';

/** Calls procedures of a room and hears its events: `EVENT-1` to `EVENT-7`. */
export function createClientEvents<Declared>(
  port: EventsPort,
  options: EventsOptions,
): Events<Declared>;
export function createClientEvents(
  { open, takeAnotherId, after }: EventsPort,
  { onIgnoredError, timeoutMilliseconds = 10_000 }: EventsOptions,
): unknown {
  /** The calls by number, in the order in which they were made. */
  const calls = new Map<number, Call>();
  const listeners = new Map<Id, { readonly name: string; readonly listener: Listener }>();
  let lastNumber = 0;
  let lastListener = 0;
  let readLength = 0;
  let cancelAnotherId: (() => void) | undefined;
  /** Set once no call can be made any more. */
  let end: TinyBasePartyKitError | undefined;

  const report = reportLater(onIgnoredError);

  const take = (number: number): Call | undefined => {
    const call = calls.get(number);
    calls.delete(number);
    call?.cancelTimeout();
    return call;
  };

  const rejectAll = (error: TinyBasePartyKitError, isOnlySent?: boolean): void => {
    for (const [number, { isSent }] of calls)
      if (isSent || !isOnlySent) take(number)?.reject(error);
  };

  /** Sends what was not sent, in order. */
  const flush = (): void => {
    for (const [number, call] of calls) {
      if (call.isSent) continue;
      if (!channel.send(call.json)) return;
      call.isSent = true;
      if (!call.isAwaited) take(number);
    }
  };

  const add = (
    name: string,
    input: unknown,
    isAwaited: boolean,
    resolve: (result: unknown) => void,
    reject: (error: TinyBasePartyKitError) => void,
  ): void => {
    if (end !== undefined) return reject(end);
    const fail = (code: ErrorCode, reason: string): void =>
      reject(new TinyBasePartyKitError(code, `The call of "${shown}" failed: ${reason}`));
    const given: unknown = name;
    const shown = typeof given === 'string' ? given : typeof given;
    if (shown !== given) return fail('misuse', 'name a procedure.');
    if (calls.size >= MOST_CALLS) return fail('overloaded', 'wait for earlier calls.');
    const number = (lastNumber += 1);
    let json: string;
    try {
      json = encode({ name, input, id: isAwaited ? number : undefined });
    } catch {
      return fail('malformed', 'its input is not JSON.');
    }
    const cancelTimeout = after(timeoutMilliseconds, () =>
      fail(
        'unavailable',
        take(number)?.isSent
          ? `no answer in time. ${MAYBE} ${NO_EVENTS}`
          : 'it was not sent: no connection.',
      ),
    );
    calls.set(number, { json, resolve, reject, isAwaited, cancelTimeout, isSent: false });
    flush();
  };

  const emit = (name: string, data: unknown, from: Id | undefined): void => {
    for (const [id, known] of [...listeners]) {
      // Within this call, but what the listener throws at once is a rejection, too.
      if (known.name === name && listeners.has(id))
        (async () => known.listener(data, from))().catch(report);
    }
  };

  const receive = (message: EventFromRoom): void => {
    if (message.type === 'event') return emit(message.name, message.data, message.from);
    const call = take(message.id);
    if (message.type === 'result') return call?.resolve(message.result);
    const { code, message: text } = message.error;
    const error = new TinyBasePartyKitError(code, text);
    call?.reject(error);
    if (message.id || cancelAnotherId || end) return;
    report(error);
    cancelAnotherId = after(ANOTHER_ID_MILLISECONDS, takeAnotherId);
  };

  const stop = (error: TinyBasePartyKitError): void => {
    end = error;
    cancelAnotherId?.();
    channel.close();
    listeners.clear();
    rejectAll(error);
  };

  const channel = open({
    onOpen: flush,
    onClose: () => {
      // Another part of the client may have taken another id.
      cancelAnotherId?.();
      cancelAnotherId = undefined;
      rejectAll(
        new TinyBasePartyKitError(
          'network',
          `The connection closed before the call ended. ${MAYBE}`,
        ),
        true,
      );
    },
    onAnotherRoom: () =>
      rejectAll(
        new TinyBasePartyKitError('network', 'The call was not sent: the socket has another room.'),
      ),
    onRefused: report,
    onStopped: (error) => {
      rejectAll(error);
      report(error);
    },
    onTakenOver: () => {
      const error = new TinyBasePartyKitError(
        'replaced',
        'Newer events use this socket: destroy() these.',
      );
      stop(error);
      report(error);
    },
    onFrame: (json) => {
      readLength += json.length;
      if (readLength > READ_LENGTH && channel.send(READ)) readLength = 0;
      let message: EventFromRoom;
      try {
        message = decode(json);
      } catch {
        // It may be the app's own.
        return;
      }
      // The frame may also have the commits that come before this message: the persister gets them in the meantime.
      queueMicrotask(() => receive(message));
    },
  });

  return {
    call: namedCalls(
      (name, input) => new Promise((resolve, reject) => add(name, input, true, resolve, reject)),
    ),
    send: namedCalls((name, input) => add(name, input, false, () => undefined, report)),
    addListener: (name: string, listener: Listener): Id => {
      assertListener(listener);
      const id = String((lastListener += 1));
      listeners.set(id, { name, listener });
      return id;
    },
    delListener: (id: Id) => void listeners.delete(id),
    destroy: () => stop(new TinyBasePartyKitError('destroyed', 'These events were destroyed.')),
  };
}

type Listener = (data: unknown, from: Id | undefined) => void;
