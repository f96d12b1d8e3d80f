/** Settles as that promise does, or rejects with `late()` if it has not settled after so many milliseconds. */
export async function inTime<T>(
  promise: T | Promise<T>,
  milliseconds: number,
  after: (milliseconds: number, callback: () => void) => () => void,
  late: () => Error,
): Promise<T> {
  let cancel: (() => void) | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    cancel = after(milliseconds, () => reject(late()));
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    cancel?.();
  }
}
