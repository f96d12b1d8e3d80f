import type { Store } from 'tinybase';

import { TinyBasePartyKitError } from '../../protocol/errors.ts';

import type { StorageSizes } from '../storage/storage-sizes.ts';
import type { RoomHooks } from '../writes/hooks.ts';
import { CheckedNumbers } from './checked-numbers.ts';
import { isThenable } from './maybe-promise.ts';
import type { ErrorReporter } from './error-reporter.ts';
import {
  DEFAULT_HOOK_TIMEOUT_MILLISECONDS,
  DEFAULT_LIMITS,
  type RoomLimits,
  type RoomOptions,
} from './room-options.ts';

const LIMIT_NAMES: readonly (keyof RoomLimits)[] = Object.keys(DEFAULT_LIMITS).filter(isLimit);

const ASYNC_MESSAGE =
  'prepareStore returned a promise, and the room does not wait for it: do everything before the first await, or in onStart.';

/** The app's options with the defaults. Each is read when it is needed, because a subclass may set it late. */
export class RoomSettings<Connection, Request> {
  readonly #options: RoomOptions<Connection, Request>;
  readonly #reporter: ErrorReporter;
  readonly #numbers: CheckedNumbers;
  #limits = DEFAULT_LIMITS;
  /** The app's limits that `#limits` was made of. */
  #ownLimits: Partial<RoomLimits> | undefined;

  constructor(options: RoomOptions<Connection, Request>, reporter: ErrorReporter) {
    this.#options = options;
    this.#reporter = reporter;
    this.#numbers = new CheckedNumbers((error) => reporter.report(error, 'config'));
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

  /** The error with which the room must let nobody in; undefined if there is none. */
  get refusal(): unknown {
    return this.#options.refusal?.();
  }

  get storageSizes(): Partial<StorageSizes> | undefined {
    return this.#options.storageSizes?.();
  }

  /** The hooks; undefined if there are none to call. */
  get hooks(): RoomHooks<Connection | Request> | undefined {
    const hooks = this.#options.hooks?.();
    return hooks !== undefined && hasAny(hooks) ? hooks : undefined;
  }

  get hookTimeoutMilliseconds(): number {
    const given = this.#options.hookTimeoutMilliseconds?.();
    const otherwise = DEFAULT_HOOK_TIMEOUT_MILLISECONDS;
    return this.#numbers.readTime('hookTimeoutMilliseconds', given, otherwise);
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
    const returned: unknown = this.#options.prepareStore?.(store);
    if (!isThenable(returned)) return;
    this.#reporter.report(new TinyBasePartyKitError('misuse', ASYNC_MESSAGE), 'prepare');
    Promise.resolve(returned).catch((error: unknown) => this.#reporter.report(error, 'prepare'));
  }

  #checked(own: Partial<RoomLimits>): RoomLimits {
    const limits: { -readonly [Name in keyof RoomLimits]: number } = { ...DEFAULT_LIMITS };
    for (const name of LIMIT_NAMES) {
      // No client can cut a push into parts of nothing.
      const least = name === 'framePushBytes' ? 1 : 0;
      const number = this.#numbers.read(`limits.${name}`, own[name], DEFAULT_LIMITS[name], least);
      limits[name] = name === 'messagesPerSecond' ? number : Math.floor(number);
    }
    return limits;
  }
}

function isLimit(name: string): name is keyof RoomLimits {
  return Object.hasOwn(DEFAULT_LIMITS, name);
}

function hasAny<Connection>(hooks: RoomHooks<Connection>): boolean {
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
