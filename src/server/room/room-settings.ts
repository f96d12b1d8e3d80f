import type { Store } from 'tinybase';

import type { StorageSizes } from '../storage/storage-sizes.ts';
import type { RoomHooks } from '../writes/hooks.ts';
import {
  DEFAULT_HOOK_TIMEOUT_MILLISECONDS,
  DEFAULT_LIMITS,
  type RoomLimits,
  type RoomOptions,
} from './room-options.ts';

/** The app's options with the defaults. Each is read when it is needed, because a subclass may set it late. */
export class RoomSettings<Origin, RequestOrigin> {
  readonly #options: RoomOptions<Origin, RequestOrigin>;
  #limits = DEFAULT_LIMITS;
  /** The app's limits that `#limits` was made of. */
  #ownLimits: Partial<RoomLimits> | undefined;

  constructor(options: RoomOptions<Origin, RequestOrigin>) {
    this.#options = options;
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
    return this.#options.hookTimeoutMilliseconds?.() ?? DEFAULT_HOOK_TIMEOUT_MILLISECONDS;
  }

  get limits(): RoomLimits {
    const own = this.#options.limits?.();
    if (own !== this.#ownLimits) {
      this.#ownLimits = own;
      this.#limits = { ...DEFAULT_LIMITS, ...own };
    }
    return this.#limits;
  }

  prepareStore(store: Store): void {
    this.#options.prepareStore?.(store);
  }
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
