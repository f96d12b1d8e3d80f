import { hearRejection } from './maybe-promise.ts';

/** Tells the app of an error. Never throws: if the app's handler throws, or is async and rejects, nobody is left to tell. */
export function tellApp(tell: () => unknown): void {
  try {
    hearRejection(tell());
  } catch {
    // As above.
  }
}
