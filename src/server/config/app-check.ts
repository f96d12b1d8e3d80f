import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { AppConfig } from './app-config.ts';
import { misplacedOptions } from './misplaced-options.ts';
import { refusalWithoutGate } from './missing-gate.ts';
import { CALLED, uncalledMethods, type UncalledMethods } from './uncalled-methods.ts';

/** The parts of a room that are checked. */
export interface AppCheckParts {
  /** The room, as an object of the app's class. */
  readonly server: object;
  /** The prototype of our own class. */
  readonly base: object;
  readonly config: AppConfig;
  /** Returns true for a method that the room itself has set in a field. */
  readonly isOurs: (method: unknown) => boolean;
  readonly hasGate: () => boolean;
  readonly report: (error: TinyBasePartyKitError) => void;
}

/** Looks for mistakes in an app's config and class: those with which its room must let nobody in, and others. */
export class AppCheck {
  readonly #parts: AppCheckParts;
  /** Searched for once: a class does not change. */
  #found: readonly [uncalled: UncalledMethods, misplaced: UncalledMethods] | undefined;
  #isReported = false;

  constructor(parts: AppCheckParts) {
    this.#parts = parts;
  }

  /** The error with which the room must let nobody in, if there is one (`LIFE-10`, `LIFE-11`). */
  get refusal(): TinyBasePartyKitError | undefined {
    return this.#refusals()[0];
  }

  /** Reports what is wrong, and a TinyBase that is too old, once. A subclass may set its config up to here. */
  reportOnce(): void {
    if (this.#isReported) return;
    this.#isReported = true;
    const { base, config, report, server } = this.#parts;
    const warnings = this.#search().map(({ warning }) => warning);
    const ofFields = [hiddenStore(server), uncallable(server, base)];
    const errors = [...this.#refusals(), ...config.errors(), ...warnings, ...ofFields];
    for (const error of errors) if (error !== undefined) report(error);
  }

  #refusals(): readonly TinyBasePartyKitError[] {
    const { server, base, config, hasGate } = this.#parts;
    const withoutGate = hasGate() ? undefined : refusalWithoutGate(server, base);
    const [uncalled, misplaced] = this.#search();
    const refusals = [config.refusal, uncalled.refusal, withoutGate, misplaced.refusal];
    return refusals.filter((refusal) => refusal !== undefined);
  }

  #search(): readonly [uncalled: UncalledMethods, misplaced: UncalledMethods] {
    const { server, base, config, isOurs, hasGate } = this.#parts;
    return (this.#found ??= [
      uncalledMethods(server, base, isOurs, hasGate()),
      misplacedOptions(server, base, (name) => config.isGiven(name)),
    ]);
  }
}

/** The error of fields that are no functions, where the room calls a method. `base` is the prototype of our own class. */
function uncallable(server: object, base: object): TinyBasePartyKitError | undefined {
  const names = CALLED.filter((name) => {
    const member: unknown = Reflect.get(server, name);
    return typeof member !== 'function' && ((member ?? undefined) !== undefined || name in base);
  });
  if (names.length === 0) return undefined;
  const message = `The class of the room has fields that are no functions, where the room calls a method: ${names.join(', ')}. Make them methods.`;
  return new TinyBasePartyKitError('misuse', message);
}

/** The error of a field that hides the Store of the room, as a room written for TinyBase's own class may have one. */
function hiddenStore(server: object): TinyBasePartyKitError | undefined {
  if (!Object.hasOwn(server, 'store')) return undefined;
  const message =
    'The class of the room has a field "store" of its own, which hides the Store of the room: give the field another name, or use the Store of the room.';
  return new TinyBasePartyKitError('misuse', message);
}
