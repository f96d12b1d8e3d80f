import { TinyBasePartyKitError } from '../../protocol/errors.ts';

/** The longest time of a timer. JavaScript runs a timer of a longer time at once. */
export const LONGEST_TIMER_MILLISECONDS: number = 2 ** 31 - 1;

/** Reads numbers of the app's options. It reports an invalid one, once, and uses the default in its place. */
export class CheckedNumbers {
  readonly #report: (error: unknown) => void;
  /** The invalid numbers that were reported, by name. */
  readonly #reported = new Map<string, unknown>();

  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  /** Returns a number of at least `least`. Reports any other, once, and returns the default in its place. */
  read(name: string, given: unknown, otherwise: number, least: number): number {
    if (given === undefined) return otherwise;
    if (typeof given === 'number' && given >= least)
      return Math.min(given, Number.MAX_SAFE_INTEGER);
    if (!Object.is(this.#reported.get(name), given)) {
      this.#reported.set(name, given);
      const message = `${name} is ${typeof given === 'number' ? given : `a ${typeof given}`}, so the room uses ${otherwise}: set it to a number of at least ${least}.`;
      this.#report(new TinyBasePartyKitError('malformed', message));
    }
    return otherwise;
  }

  /** Returns a time of at least one millisecond, and at most the longest of a timer. */
  readTime(name: string, given: unknown, otherwise: number): number {
    return Math.min(this.read(name, given, otherwise, 1), LONGEST_TIMER_MILLISECONDS);
  }
}
