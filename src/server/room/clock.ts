/** A clock may be read late, or corrected by a little. */
const TOLERANCE_MILLISECONDS = 60_000;

/**
 * Returns true if a noted time lies in the future: the clock was set back since. Such a time tells nothing, and nothing may
 * wait for it to come again.
 */
export function isAhead(time: number, now: number): boolean {
  return time > now + TOLERANCE_MILLISECONDS;
}

/**
 * Returns true if a pause that began at that time has not ended. A clock that was set back ends it: nothing waits for longer
 * than the pause.
 */
export function isPausing(begin: number, milliseconds: number, now: number): boolean {
  return now >= begin && now < begin + milliseconds;
}
