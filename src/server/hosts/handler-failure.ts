/** The message for a client when a handler of the app throws, by the name of the handler. */
const MESSAGES: Readonly<Record<string, string>> = {
  getConnectionTags: 'The room failed to accept the connection.',
  onConnect: 'The room failed to accept the connection.',
  onRequest: 'The room failed to answer.',
};

/**
 * Returns an error to throw in place of the one that a handler threw; undefined for a handler whose errors reach no
 * client. Hosts send the message to clients, and partyserver also sends the stack: this error has a fixed text in both.
 */
export function handlerFailure(name: string): Error | undefined {
  const message = Object.hasOwn(MESSAGES, name) ? MESSAGES[name] : undefined;
  if (message === undefined) return undefined;
  const error = new Error(message);
  error.stack = message;
  return error;
}
