/** A time may be so far ahead: clocks are corrected by a little. */
const TOLERANCE_MILLISECONDS = 60_000;

/**
 * Returns true if a noted time lies in the future: the clock was set back since. Such a time means nothing, and nothing may wait for
 * it.
 */
export function isAhead(time: number, now: number): boolean {
  return time > now + TOLERANCE_MILLISECONDS;
}

/**
 * Returns true if a pause that began at that time has not ended. If the clock was set back since, the pause has ended: nothing waits
 * for longer than the pause.
 */
export function isPausing(begin: number, milliseconds: number, now: number): boolean {
  return now >= begin && now < begin + milliseconds;
}
