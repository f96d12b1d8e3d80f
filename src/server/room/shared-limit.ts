/** A limit is scarce once this part of it is used. */
const SCARCE = 3 / 4;

/** The part of a scarce limit that one user may have. */
const SHARE = 1 / 10;

/** `full`: all of the limit is used. `share`: it is scarce, and the user has its share of it. */
export type Space = 'free' | 'full' | 'share';

/** Returns the space that is left for a user in a limit that all users of a room share (`FLOOD-5`). */
export function spaceIn(limit: number, used: number, ofUser: number): Space {
  if (used >= limit) return 'full';
  return used < limit * SCARCE || ofUser < limit * SHARE ? 'free' : 'share';
}
