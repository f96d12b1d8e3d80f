/** A kind of trouble that only some worlds have. */
export type Adversity =
  | 'storage-set-back'
  | 'storage-emptied'
  | 'app-closes'
  | 'proxy-etag'
  | 'old-cache'
  | 'foreign-answers'
  | 'hooks-write'
  | 'hooks-depend'
  | 'two-persisters'
  | 'competing-listeners'
  | 'days-pass'
  | 'clock-jumps'
  | 'floods'
  | 'slow-readers'
  | 'small-content'
  | 'calls'
  | 'saved-elsewhere'
  | 'loaded-elsewhere'
  | 'undo'
  | 'tokens-end'
  | 'power-failures'
  | 'slow-gate'
  | 'readers'
  | 'full-disks'
  | 'busy-browsers'
  | 'stolen-ids'
  | 'alarms'
  | 'no-locks'
  | 'clocks-behind'
  | 'other-rooms'
  | 'many-tabs'
  | 'poison'
  | 'remounts'
  | 'put-aside';

interface Switch {
  /** True: histories have it without being asked, one in so many. */
  readonly isOn: boolean;
}

/**
 * Each adversity can be switched on alone: `npm run fuzz -- --with <name>`. Those that are on are part of the tests; the others
 * wait for a rule, and fail without it.
 */
export const ADVERSITIES: Readonly<Record<Adversity, Switch>> = {
  'storage-set-back': { isOn: true },
  'storage-emptied': { isOn: true },
  'app-closes': { isOn: true },
  'proxy-etag': { isOn: true },
  'old-cache': { isOn: true },
  'foreign-answers': { isOn: true },
  'hooks-write': { isOn: true },
  'hooks-depend': { isOn: true },
  'two-persisters': { isOn: true },
  'competing-listeners': { isOn: true },
  'days-pass': { isOn: true },
  'clock-jumps': { isOn: true },
  floods: { isOn: true },
  'slow-readers': { isOn: true },
  'small-content': { isOn: true },
  calls: { isOn: true },
  'saved-elsewhere': { isOn: true },
  'loaded-elsewhere': { isOn: true },
  undo: { isOn: true },
  'tokens-end': { isOn: true },
  'power-failures': { isOn: true },
  // New ones come last, so that the others are drawn as before.
  'slow-gate': { isOn: true },
  readers: { isOn: true },
  /** The storage of a browser is full for a while. */
  'full-disks': { isOn: true },
  /** A browser has up to three tabs, and another user, and a user who clears what is kept. */
  'busy-browsers': { isOn: true },
  /** A user has got hold of the client ids of others. */
  'stolen-ids': { isOn: true },
  /** The host has an alarm, the app uses it, and no process runs before somebody needs the room. */
  alarms: { isOn: true },
  /** Browsers have no Web Locks, as on a page that came by plain HTTP. */
  'no-locks': { isOn: true },
  /** The clock of a device is behind after a power failure. */
  'clocks-behind': { isOn: true },
  /** Sockets are pointed at another room, and back. */
  'other-rooms': { isOn: true },
  /** A browser has up to five tabs of a user, and crashes with all of them. */
  'many-tabs': { isOn: true },
  /** The room dies whenever it gets certain pushes (PART-7). */
  poison: { isOn: true },
  /** Apps end the session of a Store that persists, and make another one of it later, for another user perhaps. */
  remounts: { isOn: true },
  /** Browsers keep pages for their "back" button, and take away their locks (OFFLINE-14). Off until 40,000 histories have held with it. */
  'put-aside': { isOn: false },
};

export function isAdversity(name: string): name is Adversity {
  return Object.hasOwn(ADVERSITIES, name);
}

/** All of them, on or off. */
export const ADVERSITY_NAMES: readonly Adversity[] = Object.keys(ADVERSITIES).filter(isAdversity);
