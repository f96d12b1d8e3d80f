/** The longest name that a message quotes. */
const LONGEST_NAME = 60;

/** Thrown to whoever sends an event that no client can get: its name or its data is not allowed. */
export class UnsendableEvent extends TypeError {}

/** Returns the name of an event or a procedure for a message. */
export function quoted(name: unknown): string {
  const text = String(name);
  return `"${text.length > LONGEST_NAME ? `${text.slice(0, LONGEST_NAME)}…` : text}"`;
}

/** Returns true for an `UnsendableEvent`. Never throws, whatever the app has thrown. */
export function isUnsendable(thrown: unknown): thrown is UnsendableEvent {
  try {
    return thrown instanceof UnsendableEvent;
  } catch {
    return false;
  }
}
