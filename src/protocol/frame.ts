/**
 * A frame is the text `<messagePrefix><letter><JSON>`, or several of them with a line break between two (FRAME-5). This file
 * splits and joins frames, and parses no JSON.
 */

/** Between the messages of one frame. JSON that no space was added to has no line break. */
const SEPARATOR = '\n';

/**
 * The longest frame of several messages, in characters. The reader can begin while other frames are on their way, and the
 * number of messages that one frame makes is limited.
 */
const JOINED_LENGTH = 64 * 1024;

/** The characters that a quote counts as. */
const LENGTH_OF_QUOTE = 32;

/** A frame that uses our prefix. Its JSON is not parsed yet. */
export interface Frame {
  /** The one character that names the message. A receiver must ignore frames with unknown letters (FRAME-1). */
  readonly letter: string;
  readonly json: string;
}

/**
 * The definition of a message, or of a few messages that share a letter: a module that exports these three names and
 * the type of the message. Import it as a namespace: `import * as hello from './messages/hello.ts'`. A bundler then drops
 * the direction that is not used, which it cannot do with the properties of an object.
 *
 * The messages of the core are in the folder `messages`. A feature defines messages of its own in the same way, with a
 * letter that no other message from the same side uses; it needs {@link encodeFrame} and {@link readFrame}, and no
 * change to the core.
 */
export interface MessageDefinition<Message> {
  /** One character. */
  readonly letter: string;
  /** Encodes the message as JSON. */
  readonly encode: (message: Message) => string;
  /** Decodes {@link encode}. Throws a `TinyBasePartyKitError` `malformed`, and nothing else. */
  readonly decode: (json: string) => Message;
}

/** Joins a frame. */
export function encodeFrame(prefix: string, letter: string, json: string): string {
  return prefix + letter + json;
}

/** Splits a frame; returns undefined for data that is binary, lacks the prefix, or ends with it (FRAME-1). */
export function readFrame(prefix: string, data: unknown): Frame | undefined {
  if (typeof data !== 'string' || !data.startsWith(prefix)) return undefined;
  const letter = data[prefix.length];
  return letter === undefined ? undefined : { letter, json: data.slice(prefix.length + 1) };
}

/** Joins messages that are sent together, in order, to as few frames as their length, and at most `most`, allows. */
export function* joinFrames(
  messages: readonly string[],
  most: number = Infinity,
): Iterable<string> {
  let first = 0;
  let length = 0;
  for (const [index, message] of messages.entries()) {
    if (index > first && length + message.length > Math.min(JOINED_LENGTH, most)) {
      yield joinAll(messages.slice(first, index));
      first = index;
      length = 0;
    }
    length += message.length + SEPARATOR.length;
  }
  if (first < messages.length) yield joinAll(first === 0 ? messages : messages.slice(first));
}

function joinAll(messages: readonly string[]): string {
  return messages.length === 1 ? (messages[0] ?? '') : messages.join(SEPARATOR);
}

/**
 * Returns the weight of a frame: the length that counts for floods, in characters (FLOOD-1). Many ids and short texts take more time
 * than one long text of the same length, and each of them has two quotes: so quotes count more than other characters. With `isPart`,
 * the frame has a part of a push, whose JSON is a text within the frame.
 */
export function weightOf(frame: string, isPart = false): number {
  // Within a text, a quote has a backslash before it. Each level of texts doubles the backslashes.
  const [period, rest] = isPart ? [4, 1] : [2, 0];
  let quotes = 0;
  for (let at = frame.indexOf('"'); at >= 0; at = frame.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (frame[at - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % period === rest) quotes += 1;
  }
  return Math.max(frame.length, quotes * LENGTH_OF_QUOTE);
}

/** Returns the messages of a frame, each as a frame of its own. A frame that is too long for several is one message. */
export function splitFrame(data: string): readonly string[] {
  return data.length <= JOINED_LENGTH && data.includes(SEPARATOR) ? data.split(SEPARATOR) : [data];
}
