/**
 * Makes a function that tells the app of an error after the present work is complete: what the app does then cannot harm it. An
 * error that the app throws at that is written to the console.
 */
export function reportLater(
  onIgnoredError: ((error: unknown) => unknown) | undefined,
): (error: unknown) => void {
  return (reported) =>
    void Promise.resolve(reported)
      .then(onIgnoredError)
      // oxlint-disable-next-line no-console -- Nobody else can be told.
      .catch((thrown) => console.error(thrown));
}
