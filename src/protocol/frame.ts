/** A frame is the text `<messagePrefix><letter><JSON>`. This file splits and joins frames, and parses no JSON. */

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
