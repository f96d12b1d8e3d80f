import { warn } from '../../protocol/warn.ts';

/**
 * Makes a function that tells the app of an error after the present work is complete: what the app does then cannot harm it. The
 * console gets the errors that the app does not listen to, and those that it throws at that.
 */
export function reportLater(
  onIgnoredError: ((error: unknown) => unknown) | undefined,
): (error: unknown) => void {
  return (reported) =>
    void Promise.resolve(reported)
      .then(onIgnoredError ?? warn)
      // oxlint-disable-next-line no-console -- Nobody else can be told.
      .catch((thrown) => console.error(thrown));
}
