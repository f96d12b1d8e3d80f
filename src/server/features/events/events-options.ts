import { isPlain } from '../../../protocol/option-kinds.ts';

/** The options of `createEvents` in a room. */
export interface EventsOptions {
  /** The limit of one input, in bytes of JSON. 65,536 by default. */
  readonly inputBytes?: number;
  /** The limit of everything that one call sends, in bytes of JSON. Also that of one event of the room's own code. 262,144 by default. */
  readonly outputBytes?: number;
  /** The calls of one connection that may be under way. 256 by default. */
  readonly calls?: number;
  /** The length of the inputs of these calls. 1 Mi by default. */
  readonly callsLength?: number;
  /** The time that a procedure may take. 10,000 by default, as long as a client waits. */
  readonly timeoutMilliseconds?: number;
}

/** The options unless configured. */
const DEFAULT_OPTIONS: Required<EventsOptions> = {
  inputBytes: 64 * 1024,
  outputBytes: 256 * 1024,
  calls: 256,
  callsLength: 1024 * 1024,
  timeoutMilliseconds: 10_000,
};

/** Returns the options with the defaults. Throws a `TypeError` for one that does not exist or is no number above 0. */
export function readOptions(options: EventsOptions): Required<EventsOptions> {
  const given: unknown = options;
  if (!isPlain(given))
    throw new TypeError('createEvents got no object as its options: give it one, or none.');
  for (const [name, value] of Object.entries<unknown>({ ...options })) {
    if (!Object.hasOwn(DEFAULT_OPTIONS, name)) {
      const names = Object.keys(DEFAULT_OPTIONS).join(', ');
      throw new TypeError(`createEvents has no option ${name}: use ${names}.`);
    }
    if (value !== undefined && !(typeof value === 'number' && value > 0))
      throw new TypeError(`createEvents cannot use the option ${name}: give it a number above 0.`);
  }
  const set = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...DEFAULT_OPTIONS, ...Object.fromEntries(set) };
}
