import { TinyBasePartyKitError } from '../../protocol/errors.ts';

/** The time that edits wait for saving to start before the app is told. */
const REMINDER_MILLISECONDS = 10_000;

const REMINDER_MESSAGE =
  'Nothing has saved the edits of this Store for 10 seconds: call startAutoSave().';

/** Reports, once, that edits wait because the app has never started to save. */
export interface SaveReminder {
  /** An edit is held. */
  held(): void;
  /** The app has begun to save, in whatever way: there is nothing to report any more. */
  end(): void;
}

/** Creates a reminder. It waits on while `isStarting` returns true: the app may start to save next. */
export function createSaveReminder(
  after: (milliseconds: number, callback: () => void) => () => void,
  isStarting: () => boolean,
  onError: (error: unknown) => void,
): SaveReminder {
  let hasEnded = false;
  let cancel: (() => void) | undefined;
  const count = (): void => {
    cancel = after(REMINDER_MILLISECONDS, () => {
      if (isStarting()) count();
      else onError(new TinyBasePartyKitError('misuse', REMINDER_MESSAGE));
    });
  };
  return {
    held: () => {
      if (cancel === undefined && !hasEnded) count();
    },
    end: () => {
      hasEnded = true;
      cancel?.();
    },
  };
}
