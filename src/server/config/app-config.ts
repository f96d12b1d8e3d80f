import { createStore } from 'tinybase/store';

import type { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { errorOfUnknownOptions } from '../../protocol/unknown-options.ts';
import { errorOfOldTinyBase } from '../room/old-tinybase.ts';
import { DEFAULT_HOOK_TIMEOUT_MILLISECONDS, type RoomLimits } from '../room/room-options.ts';
import { errorOfPrefix, errorsOfConfig, isObject, refusalOfConfig } from './config-errors.ts';
import { OPTIONS, type RoomServerConfig } from './room-server-config.ts';

/**
 * The config that an app gives to its room. An app without types may set it to anything, and a subclass may set it late, so it is read
 * each time.
 */
export class AppConfig {
  readonly #read: () => RoomServerConfig;
  /** The config before the app has set one, and a copy of it: the app may set single options of it, too. */
  readonly #first: unknown;
  readonly #defaults: RoomServerConfig;

  /**
   * @param read returns what the app has set
   * @param first the config before the app has set one. Without it, every option counts as given
   */
  constructor(read: () => RoomServerConfig, first?: RoomServerConfig) {
    this.#read = read;
    this.#first = first;
    this.#defaults = { ...first };
  }

  /** The options; none if the config is no object. */
  get options(): RoomServerConfig {
    const given: unknown = this.#read();
    return isObject(given) ? this.#read() : {};
  }

  /** Returns true for an option that the app has set in the config. */
  isGiven(name: string): boolean {
    const value: unknown = Reflect.get(this.options, name);
    const byDefault: unknown =
      this.#read() === this.#first ? Reflect.get(this.#defaults, name) : undefined;
    return value !== byDefault;
  }

  get storePath(): string {
    return pathInUrls(textOr('/store', this.options.storePath));
  }

  get messagePrefix(): string {
    return textOr('', this.options.messagePrefix);
  }

  /** Another prefix would be another room, so one that is no text is taken as its text. */
  get storagePrefix(): string {
    const prefix: unknown = this.options.storagePrefix ?? '';
    return String(prefix);
  }

  get hookTimeoutMilliseconds(): number {
    return this.options.hookTimeoutMilliseconds ?? DEFAULT_HOOK_TIMEOUT_MILLISECONDS;
  }

  /** Undefined if the app has none. */
  get limits(): Partial<RoomLimits> | undefined {
    const { limits } = this.options;
    return isObject(limits) ? limits : undefined;
  }

  /** The error with which the room must let nobody in, if there is one (`LIFE-10`). */
  get refusal(): TinyBasePartyKitError | undefined {
    return refusalOfConfig(this.#read());
  }

  /** Returns what else is wrong with the config, and with the installed TinyBase. */
  errors(): readonly TinyBasePartyKitError[] {
    const wrong =
      this.refusal === undefined
        ? [...errorsOfConfig(this.#read()), errorOfUnknownOptions(this.options, OPTIONS)]
        : [];
    return [...wrong, errorOfPrefix(this.messagePrefix), errorOfOldTinyBase(createStore)].filter(
      (error) => error !== undefined,
    );
  }
}

/** Returns a text, or the default where the app gives something else. */
function textOr(otherwise: string, given: unknown): string {
  return typeof given === 'string' ? given : otherwise;
}

/** Returns a path as URLs have it, without a query: `/a b` is `/a%20b`. */
function pathInUrls(path: string): string {
  return path === ''
    ? ''
    : new URL(`http://room${path.startsWith('/') ? '' : '/'}${path}`).pathname;
}
