import type { Store } from 'tinybase';

import { TinyBasePartyKitError } from '../../protocol/errors.ts';

import type { StorageSizes } from '../storage/storage-sizes.ts';
import type { RoomHooks } from '../writes/hooks.ts';
import type { ErrorReporter } from './error-reporter.ts';
import {
  DEFAULT_HOOK_TIMEOUT_MILLISECONDS,
  DEFAULT_LIMITS,
  type RoomLimits,
  type RoomOptions,
} from './room-options.ts';

/** The longest time of a timer. JavaScript runs a timer of a longer time at once. */
const LONGEST_TIMER_MILLISECONDS = 2 ** 31 - 1;

const LIMIT_NAMES: readonly (keyof RoomLimits)[] = Object.keys(DEFAULT_LIMITS).filter(isLimit);

/** The app's options with the defaults. Each is read when it is needed, because a subclass may set it late. */
export class RoomSettings<Origin, RequestOrigin> {
  readonly #options: RoomOptions<Origin, RequestOrigin>;
  readonly #reporter: ErrorReporter;
  #limits = DEFAULT_LIMITS;
  /** The app's limits that `#limits` was made of. */
  #ownLimits: Partial<RoomLimits> | undefined;
  /** The invalid numbers that were reported, by name. */
  readonly #reported = new Map<string, unknown>();

  constructor(options: RoomOptions<Origin, RequestOrigin>, reporter: ErrorReporter) {
    this.#options = options;
    this.#reporter = reporter;
  }

  get roomId(): string {
    return this.#options.roomId?.() ?? '';
  }

  get messagePrefix(): string {
    return this.#options.messagePrefix?.() ?? '';
  }

  get storagePrefix(): string {
    return this.#options.storagePrefix?.() ?? '';
  }

  get storageSizes(): Partial<StorageSizes> | undefined {
    return this.#options.storageSizes?.();
  }

  /** The hooks; undefined if there are none to call. */
  get hooks(): RoomHooks<Origin | RequestOrigin> | undefined {
    const hooks = this.#options.hooks?.();
    return hooks !== undefined && hasAny(hooks) ? hooks : undefined;
  }

  get hookTimeoutMilliseconds(): number {
    const given = this.#options.hookTimeoutMilliseconds?.();
    const name = 'hookTimeoutMilliseconds';
    const number = this.#number(name, given, DEFAULT_HOOK_TIMEOUT_MILLISECONDS, 1);
    return Math.min(number, LONGEST_TIMER_MILLISECONDS);
  }

  get limits(): RoomLimits {
    const own = this.#options.limits?.();
    if (own !== this.#ownLimits) {
      this.#ownLimits = own;
      this.#limits = this.#checked(own ?? {});
    }
    return this.#limits;
  }

  prepareStore(store: Store): void {
    this.#options.prepareStore?.(store);
  }

  #checked(own: Partial<RoomLimits>): RoomLimits {
    const limits: { -readonly [Name in keyof RoomLimits]: number } = { ...DEFAULT_LIMITS };
    for (const name of LIMIT_NAMES) {
      const number = this.#number(`limits.${name}`, own[name], DEFAULT_LIMITS[name], 0);
      limits[name] = name === 'messagesPerSecond' ? number : Math.floor(number);
    }
    return limits;
  }

  /** Returns a number of at least `least`. Reports any other, once, and returns the default in its place. */
  #number(name: string, given: unknown, otherwise: number, least: number): number {
    if (given === undefined) return otherwise;
    if (typeof given === 'number' && given >= least)
      return Math.min(given, Number.MAX_SAFE_INTEGER);
    if (!Object.is(this.#reported.get(name), given)) {
      this.#reported.set(name, given);
      const message = `${name} is ${typeof given === 'number' ? given : `a ${typeof given}`}, so the room uses ${otherwise}: set it to a number of at least ${least}.`;
      this.#reporter.report(new TinyBasePartyKitError('malformed', message), 'config');
    }
    return otherwise;
  }
}

function isLimit(name: string): name is keyof RoomLimits {
  return Object.hasOwn(DEFAULT_LIMITS, name);
}

function hasAny<Origin>(hooks: RoomHooks<Origin>): boolean {
  return (
    hooks.canSetTable !== undefined ||
    hooks.canSetRow !== undefined ||
    hooks.canSetCell !== undefined ||
    hooks.canSetValue !== undefined ||
    hooks.canDelTable !== undefined ||
    hooks.canDelRow !== undefined ||
    hooks.canDelCell !== undefined ||
    hooks.canDelValue !== undefined
  );
}
