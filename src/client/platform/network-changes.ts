/** The one file that knows the browser's own view of the network. */

/** The events of a window, or of a worker (HTML, section 8.10.1.4: navigator.onLine). */
const EVENTS: readonly string[] = ['offline', 'online'];

/** Calls back when the browser loses its network or gets one, if this is a browser. Returns a function that ends it. */
export function watchNetwork(onChange: () => void): () => void {
  // Node and React Native have no such events.
  const target: Partial<Pick<EventTarget, 'addEventListener' | 'removeEventListener'>> = globalThis;
  for (const event of EVENTS) target.addEventListener?.(event, onChange);
  return () => {
    for (const event of EVENTS) target.removeEventListener?.(event, onChange);
  };
}
