import { isEventName } from '../../../protocol/events/event-names.ts';
import { DEEPEST_JSON_LEVEL } from '../../../protocol/json.ts';
import { isDeeperThan } from '../../../protocol/json-depth.ts';
import * as fromRoom from '../../../protocol/events/event-from-room.ts';
import { TinyBasePartyKitError } from '../../../protocol/errors.ts';
import { quoted, UnsendableEvent } from '../../../protocol/events/unsendable-event.ts';
import { utf8Length } from '../../../protocol/utf8.ts';

/** The frames that a procedure makes. */
export interface OutcomeFrames {
  /** The JSON of events for everybody. */
  readonly broadcast: readonly string[];
  /** The JSON of events for the caller. */
  readonly self: readonly string[];
  readonly result: unknown;
}

const MEMBERS: ReadonlySet<string> = new Set(['broadcast', 'self', 'result']);

/**
 * Encodes what a procedure returned. Throws a `TypeError` if that is no outcome, and `too-large` if it is over the limit. `what` names
 * the procedure in the errors.
 */
export function framesOf(
  outcome: unknown,
  {
    what,
    from,
    outputBytes,
  }: { readonly what: string; readonly from: string; readonly outputBytes: number },
): OutcomeFrames {
  if (outcome === undefined || outcome === null)
    return { broadcast: [], self: [], result: undefined };
  const members = entriesOf(outcome, `${what} returned no object`);
  for (const [member] of members) {
    if (!MEMBERS.has(member)) {
      throw new TypeError(
        `${what} returned an object with "${member}": return broadcast, self and result alone.`,
      );
    }
  }
  const { broadcast, self, result } = Object.fromEntries(members);
  const frames = {
    broadcast: eventsOf(broadcast, `${what} returned no object as broadcast`, from),
    self: eventsOf(self, `${what} returned no object as self`, from),
    result,
  };
  assertSize([...frames.broadcast, ...frames.self], outputBytes, what);
  return frames;
}

/** Encodes an event of the room's own code. Throws an `UnsendableEvent` if it is invalid, and `too-large` if it is over the limit. */
export function frameOf(name: string, data: unknown, outputBytes: number): string {
  const frame = encodeEvent(name, data, undefined);
  assertSize([frame], outputBytes, `The event ${quoted(name)}`);
  return frame;
}

/** Throws `too-large`, with `what`, if the frames are longer together than the limit. */
export function assertSize(frames: readonly string[], outputBytes: number, what: string): void {
  let left = outputBytes;
  for (const frame of frames) left -= utf8Length(frame, Math.max(0, left));
  if (left >= 0) return;
  const message = `${what} would have sent more than ${outputBytes} bytes: send less, or raise the option outputBytes of createEvents.`;
  throw new TinyBasePartyKitError('too-large', message);
}

function eventsOf(events: unknown, otherwise: string, from: string): readonly string[] {
  if (events === undefined || events === null) return [];
  return entriesOf(events, otherwise).map(([name, data]) => encodeEvent(name, data, from));
}

function encodeEvent(name: string, data: unknown, from: string | undefined): string {
  if (!isEventName(name)) {
    throw new UnsendableEvent(
      `An event cannot have the name ${quoted(name)}: use an identifier that functions, objects and promises do not have.`,
    );
  }
  return encodeSendable(
    { type: 'event', name, data, from },
    `The data of the event ${quoted(name)}`,
  );
}

/** Encodes an event or a result. Throws an `UnsendableEvent` that begins with `what`, unless a client can decode it. */
export function encodeSendable(message: fromRoom.EventFromRoom, what: string): string {
  let json: string;
  try {
    json = fromRoom.encode(message);
  } catch (cause) {
    throw new UnsendableEvent(`${what} cannot be sent: it is not JSON.`, { cause });
  }
  if (isDeeperThan(json, DEEPEST_JSON_LEVEL))
    throw new UnsendableEvent(`${what} cannot be sent: it is nested too deeply.`);
  return json;
}

function entriesOf(value: unknown, otherwise: string): readonly [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError(`${otherwise}: return an object with data by the names of events.`);
  return Object.entries(value);
}
