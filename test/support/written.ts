/** What a storage is given to put: entries, or the key of a value that comes beside it. */
export type Written = Record<string, unknown> | string;

/** The same, as entries. */
export function entriesOf(written: Written, value: unknown): Record<string, unknown> {
  return typeof written === 'string' ? { [written]: value } : written;
}
