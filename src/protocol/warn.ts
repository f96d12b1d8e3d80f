/**
 * Writes an error to the console, with the name of the package and of the page that explains it. It is the default of each
 * `onIgnoredError`.
 */
export function warn(error: unknown): void {
  // oxlint-disable-next-line no-console -- Otherwise nobody would hear of it.
  console.warn('tinybase-partykit, see its docs/troubleshooting.md:', error);
}
