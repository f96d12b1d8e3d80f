import { onTestFailed } from 'vitest';

import { TinyBasePartyKitError, type ErrorCode } from '../../src/protocol/errors.ts';
import { warn } from '../../src/protocol/warn.ts';

/** Makes an `onIgnoredError` for errors of these codes, which the test expects. Others are warnings in the console, as by default. */
export const ignoring =
  (...codes: readonly ErrorCode[]) =>
  (error: unknown): void => {
    if (!(error instanceof TinyBasePartyKitError && codes.includes(error.code))) warn(error);
  };

/** Makes an `onIgnoredError` for a test with a real network: its errors are warnings in the console if the test fails. */
export const warningOnFailure = (): ((error: unknown) => void) => {
  const errors: unknown[] = [];
  onTestFailed(() => errors.forEach(warn));
  return (error) => void errors.push(error);
};
