import { isTellable, TinyBasePartyKitError, type ErrorCode } from '../../../protocol/errors.ts';
import * as fromClient from '../../../protocol/events/event-from-client.ts';
import type { EventFromClient } from '../../../protocol/events/event-from-client.ts';
import * as fromRoom from '../../../protocol/events/event-from-room.ts';
import type { CallError } from '../../../protocol/events/event-from-room.ts';
import type { Caller } from '../../../protocol/events/event-types.ts';
import { quoted } from '../../../protocol/events/unsendable-event.ts';
import { utf8Length } from '../../../protocol/utf8.ts';
import { isThenable } from '../../room/maybe-promise.ts';
import type { FeatureRoom } from '../../room/room-feature.ts';
import { validate, type Validation } from '../validation.ts';
import { CallsUnderWay } from './calls-under-way.ts';
import { assertSize, encodeSendable, frameOf, framesOf } from './event-frames.ts';
import type { EventsOptions } from './events-options.ts';
import type { DefinedProcedure } from './procedure.ts';

/** The part of a room that events use. */
export type EventsRoom<Connection> = Pick<
  FeatureRoom<Connection>,
  | 'connections'
  | 'represent'
  | 'send'
  | 'release'
  | 'charge'
  | 'hold'
  | 'isRefused'
  | 'losses'
  | 'taken'
  | 'userIdOf'
  | 'readSlot'
  | 'writeSlot'
  | 'after'
  | 'report'
>;

/** The cost of a frame in addition to its length, in characters: sending takes time, however short a frame is. */
const FRAME_LENGTH = 512;
/** The number of no call: with it, a client hears that it needs another connection id, also if nobody waits for the call. */
const NO_CALL = 0;
/** The slot of a connection that was let in under the connection id of another user. */
const NAMESAKE_SLOT = 'namesake';
/** The longest text of an error that a call ends with. */
const LONGEST_TEXT = 1_000;

const LOST = 'The room could not store a change that this call waited for: call again.';
const FAILED = 'The procedure failed: the log of the room says why.';
const TOO_LATE =
  'The room has dropped edits that this client sent before the call, which did not run: wait for `whenConfirmed()` and call again.';

const NOT_YOURS =
  'Somebody else uses the connection id of this socket: give PartySocket another id, or none.';

/** A call that has begun. */
interface Call<Connection> {
  readonly connection: Connection;
  readonly name: string;
  /** The input as the procedure gets it. */
  input: unknown;
  readonly id: number | undefined;
  readonly length: number;
  /** The losses of the room when the call began. */
  readonly losses: number;
  isOver: boolean;
}

/** The events and procedures of a room: `EVENT-1` to `EVENT-7`. */
export class RoomEvents<Connection extends Caller> {
  readonly #room: EventsRoom<Connection>;
  readonly #procedures: ReadonlyMap<string, DefinedProcedure>;
  readonly #options: Required<EventsOptions>;
  readonly #underWay = new CallsUnderWay<Connection>();
  /** The connections that are known to have been the first of their ids: whoever comes later is noted. */
  readonly #first = new WeakSet<Connection>();

  constructor(
    room: EventsRoom<Connection>,
    procedures: ReadonlyMap<string, DefinedProcedure>,
    options: Required<EventsOptions>,
  ) {
    this.#room = room;
    this.#procedures = procedures;
    this.#options = options;
  }

  /** Notes that a connection came under the id of another user. After a hibernation, nobody knows who came first. */
  admitted(connection: Connection): void {
    if (this.#others(connection).some((other) => !this.#isNamesake(other)))
      this.#room.writeSlot(connection, NAMESAKE_SLOT, 1);
  }

  /** Takes a frame. `isIntact`: the room has dropped no push that the connection sent before. */
  received(connection: Connection, json: string, isIntact: boolean): void {
    if (json === fromClient.READ) return;
    const { inputBytes } = this.#options;
    if (utf8Length(json, inputBytes) > inputBytes) {
      const message = `A call takes at most ${inputBytes} bytes of JSON: send less, or raise the option inputBytes of createEvents in the room.`;
      this.#refuse(connection, fromClient.decodeCallId(json), 'too-large', message);
      return;
    }
    const call = this.#decode(connection, json);
    if (call === undefined) return;
    const { name, input, id } = call;
    const procedure = this.#procedures.get(name);
    if (procedure === undefined) {
      this.#refuse(connection, id, 'not-found', `The room has no procedure ${quoted(name)}.`);
    } else if (!isIntact) this.#refuse(connection, id, 'stale', TOO_LATE);
    else if (this.#isIdOfAnother(connection)) {
      this.#refuse(connection, NO_CALL, 'forbidden', NOT_YOURS);
      this.#refuse(connection, id, 'forbidden', NOT_YOURS);
    } else if (!this.#underWay.begin(connection, json.length, this.#options)) {
      const message = 'Too many calls of this connection are under way: wait for their ends.';
      this.#refuse(connection, id, 'overloaded', message);
    } else {
      this.#room.hold(connection, json.length);
      const { losses } = this.#room;
      const begun = { connection, name, id, length: json.length, losses };
      this.#start({ ...begun, input: undefined, isOver: false }, procedure, input);
    }
  }

  /** Sends an event of the room's own code. Throws if it is invalid. */
  send(recipients: readonly Connection[], name: string, data: unknown): void {
    const frames = [frameOf(name, data, this.#options.outputBytes)];
    const onReleased = (): void => this.#deliver(recipients, frames);
    const onLost = (): void => {
      const message = `The event "${name}" was not sent: the room could not store a change before it.`;
      this.#room.report(new TinyBasePartyKitError('unavailable', message));
    };
    this.#room.release({ onReleased, onLost });
  }

  /**
   * Returns true if a connection of another user has this id, and may have been here first: events would tell it as `from`. A host
   * that could not attach which one came later knows none of them after a hibernation: then neither of them calls.
   */
  #isIdOfAnother(connection: Connection): boolean {
    if (this.#first.has(connection)) return false;
    const others = this.#others(connection);
    if (this.#isNamesake(connection)) return others.length > 0;
    if (!others.every((other) => this.#isNamesake(other))) return true;
    this.#first.add(connection);
    return false;
  }

  #isNamesake(connection: Connection): boolean {
    return this.#room.readSlot(connection, NAMESAKE_SLOT) !== undefined;
  }

  /** Returns the connections of other users that have the same id, which clients choose. */
  #others(connection: Connection): readonly Connection[] {
    const user = this.#room.userIdOf(connection);
    if (user === undefined) return [];
    const { id } = connection;
    return this.#room
      .connections()
      .filter((other) => other.id === id && this.#room.userIdOf(other) !== user);
  }

  /** Returns undefined for a frame that does not decode, and answers it if somebody waits. */
  #decode(connection: Connection, json: string): EventFromClient | undefined {
    try {
      return fromClient.decode(json);
    } catch (thrown) {
      if (!isTellable(thrown)) throw thrown;
      this.#refuse(connection, fromClient.decodeCallId(json), thrown.code, thrown.message);
      return undefined;
    }
  }

  #start(call: Call<Connection>, procedure: DefinedProcedure, input: unknown): void {
    let outcome: unknown;
    let end: () => void;
    try {
      const perform = (): unknown => this.#perform(call, procedure, input);
      [outcome, end] = this.#room.represent(call.connection, perform);
    } catch (error) {
      this.#fail(call, error);
      return;
    }
    if (!isThenable(outcome)) {
      end();
      this.#succeed(call, outcome);
      return;
    }
    const { timeoutMilliseconds } = this.#options;
    const cancel = this.#room.after(timeoutMilliseconds, () => {
      const message = `The procedure ${quoted(call.name)} took more than ${timeoutMilliseconds} ms, and nothing of its outcome is sent: make it faster, or raise the option timeoutMilliseconds of createEvents.`;
      const error = new TinyBasePartyKitError('unavailable', message);
      end();
      this.#room.report(error);
      this.#fail(call, error);
    });
    Promise.resolve(outcome).then(
      (settled) => {
        cancel();
        end();
        this.#succeed(call, settled);
      },
      (error: unknown) => {
        cancel();
        end();
        this.#fail(call, error);
      },
    );
  }

  /** Validates the input and runs the procedure: within the call, unless the schema is async. */
  #perform(call: Call<Connection>, procedure: DefinedProcedure, input: unknown): unknown {
    const { schema } = procedure;
    if (schema === undefined) return procedure.run(undefined, call.connection);
    const run = (validation: Validation<unknown>): unknown => {
      if (validation.type === 'valid') {
        call.input = validation.value;
        return procedure.run(call.input, call.connection);
      }
      const message = `The procedure does not take this input: look at ${validation.paths}.${validation.reason}`;
      throw new TinyBasePartyKitError('malformed', message);
    };
    const validation = validate(schema, input);
    if (!(validation instanceof Promise)) return run(validation);
    return validation.then((decided) => {
      if (!call.isOver && !this.#room.isRefused(call.connection)) return run(decided);
      throw new TinyBasePartyKitError('forbidden', 'The call ended before its procedure began.');
    });
  }

  /** Sends what a procedure returned, at its place among the commits (`EVENT-2`). */
  #succeed(call: Call<Connection>, outcome: unknown): void {
    if (call.isOver) return;
    const { connection, id } = call;
    const { outputBytes } = this.#options;
    const what = `The procedure ${quoted(call.name)}`;
    let broadcast: readonly string[];
    let self: readonly string[];
    let answer: string | undefined;
    try {
      const frames = framesOf(outcome, { what, from: connection.id, outputBytes });
      ({ broadcast, self } = frames);
      answer =
        id === undefined
          ? undefined
          : encodeSendable(
              { type: 'result', id, result: frames.result },
              `The result of the procedure ${quoted(call.name)}`,
            );
      assertSize([...broadcast, ...self, answer ?? ''], outputBytes, what);
    } catch (error) {
      if (isTellable(error)) this.#room.report(error);
      this.#fail(call, error);
      return;
    }
    // Changes of the call may be among those that were lost.
    if (this.#room.losses !== call.losses) {
      this.#fail(call, new TinyBasePartyKitError('unavailable', LOST));
      return;
    }
    call.isOver = true;
    const others = broadcast.length === 0 ? [] : this.#room.connections();
    this.#room.charge(connection, lengthOf(broadcast) * others.length + lengthOf(self));
    this.#release(others, broadcast);
    this.#release([connection], self);
    const { name, input } = call;
    this.#end(call, answer, () => this.#room.taken({ type: 'call', name, input }, connection));
  }

  /** Ends a call with an error, which tells nothing of the room's own code. */
  #fail(call: Call<Connection>, error: unknown): void {
    if (call.isOver) return;
    call.isOver = true;
    const isTold = isTellable(error);
    if (!isTold) this.#room.report(error);
    const { id } = call;
    const told = isTold ? error : new TinyBasePartyKitError('failed', FAILED);
    this.#end(call, id === undefined ? undefined : encodeFailure(id, told));
  }

  /** Answers a call when everything that it did is synced. */
  #end(
    { connection, id, length }: Call<Connection>,
    answer: string | undefined,
    onTaken?: () => void,
  ): void {
    const end = (frame: string | undefined): void => {
      this.#underWay.end(connection, length);
      this.#room.hold(connection, -length);
      if (frame !== undefined) this.#room.send(connection, fromRoom.letter, frame);
    };
    // No error object is made before it is needed: its stack costs as much as several sends.
    const lost = { code: 'unavailable', message: LOST } as const;
    this.#room.release({
      onReleased: () => {
        end(answer);
        onTaken?.();
      },
      onLost: () => end(id === undefined ? undefined : encodeFailure(id, lost)),
      waitsForSync: true,
    });
  }

  /** Answers a call that does not run. */
  #refuse(connection: Connection, id: number | undefined, code: ErrorCode, message: string): void {
    if (id === undefined) return;
    const frame = encodeFailure(id, { code, message });
    const answer = (): void => this.#room.send(connection, fromRoom.letter, frame);
    this.#room.release({ onReleased: answer, onLost: answer, waitsForSync: true });
  }

  #release(recipients: readonly Connection[], frames: readonly string[]): void {
    if (recipients.length === 0 || frames.length === 0) return;
    const onReleased = (): void => this.#deliver(recipients, frames);
    // Nobody hears of what was lost.
    this.#room.release({ onReleased, onLost: () => undefined });
  }

  #deliver(recipients: readonly Connection[], frames: readonly string[]): void {
    for (const connection of recipients)
      for (const frame of frames) this.#room.send(connection, fromRoom.letter, frame);
  }
}

function encodeFailure(id: number, { code, message }: CallError): string {
  const text = message.length > LONGEST_TEXT ? `${message.slice(0, LONGEST_TEXT)}…` : message;
  return fromRoom.encode({ type: 'failure', id, error: { code, message: text } });
}

function lengthOf(frames: readonly string[]): number {
  return frames.reduce((length, frame) => length + frame.length + FRAME_LENGTH, 0);
}
