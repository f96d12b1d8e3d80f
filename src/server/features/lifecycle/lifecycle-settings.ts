import { CheckedNumbers } from '../../room/checked-numbers.ts';
import type { LifecycleOptions } from './lifecycle-hooks.ts';

/** The longest pause, in first pauses: ten minutes, if the first is a second. */
const MOST_PAUSES = 600;

/** The app's options of the hooks with the defaults. Each is read when it is needed, because a subclass may set it late. */
export class LifecycleSettings {
  readonly #options: () => LifecycleOptions;
  readonly #numbers: CheckedNumbers;

  constructor(options: () => LifecycleOptions, report: (error: unknown) => void) {
    this.#options = options;
    this.#numbers = new CheckedNumbers(report);
  }

  get isEphemeral(): boolean {
    return this.#options().isEphemeral === true;
  }

  get storageUpdatedMilliseconds(): number {
    return this.#read('storageUpdatedMilliseconds', 2_000);
  }

  get roomDeletedMilliseconds(): number {
    return this.#read('roomDeletedMilliseconds', 10_000);
  }

  get initialStorageMilliseconds(): number {
    return this.#read('initialStorageMilliseconds', 30_000);
  }

  get saveAlarmMilliseconds(): number {
    return this.#read('saveAlarmMilliseconds', 30_000);
  }

  /** Returns the pause after so many failures in a row. */
  retryPause(failures: number): number {
    const first = this.#read('saveRetryMilliseconds', 1_000);
    return Math.min(first * 2 ** (failures - 1), first * MOST_PAUSES);
  }

  #read(name: Exclude<keyof LifecycleOptions, 'isEphemeral'>, otherwise: number): number {
    return this.#numbers.readTime(name, this.#options()[name], otherwise);
  }
}
