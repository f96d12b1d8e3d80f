/** Settles as that promise does, or rejects if the device has not answered after so many milliseconds. */
export async function inTime<T>(
  promise: Promise<T>,
  milliseconds: number,
  after: (milliseconds: number, callback: () => void) => () => void,
): Promise<T> {
  let cancel: (() => void) | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    cancel = after(milliseconds, () =>
      reject(new Error('The storage of this device does not answer.')),
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    cancel?.();
  }
}
