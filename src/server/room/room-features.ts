import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';
import { isPlain, notGot } from '../../protocol/option-kinds.ts';
import { readFrame } from '../../protocol/frame.ts';
import { CLIENT_LETTERS } from '../../protocol/messages/client-message.ts';
import { ROOM_LETTERS } from '../../protocol/messages/room-message.ts';

import { callerOf, type AskedOrigin } from './change-origin.ts';
import type { ErrorReporter } from './error-reporter.ts';
import type { RoomSettings } from './room-settings.ts';
import type { RoomCommit, RoomFeature, RoomGate, Standing, TakenCall } from './room-feature.ts';

/** A feature's frame. */
export interface FeatureFrame<Connection, Request> {
  readonly feature: RoomFeature<Connection, Request>;
  readonly json: string;
}

const CORE_LETTERS: ReadonlySet<string> = new Set([...CLIENT_LETTERS, ...ROOM_LETTERS]);

/** The gate and the features of a room. The room knows none of them by name. */
export class RoomFeatures<Connection, Request> {
  readonly #settings: Pick<RoomSettings<never, never>, 'messagePrefix'>;
  readonly #reporter: ErrorReporter;
  readonly #features: RoomFeature<Connection, Request>[] = [];
  readonly #byLetter = new Map<string, RoomFeature<Connection, Request>>();
  #gate: RoomGate<Connection, Request> | undefined;

  constructor(
    settings: Pick<RoomSettings<never, never>, 'messagePrefix'>,
    reporter: ErrorReporter,
  ) {
    this.#settings = settings;
    this.#reporter = reporter;
  }

  /** The gate; undefined if everybody may enter. */
  get gate(): RoomGate<Connection, Request> | undefined {
    return this.#gate;
  }

  /** Sets the gate. Throws if there is one. */
  set gate(gate: RoomGate<Connection, Request>) {
    if (this.#gate !== undefined)
      throw new Error('This room already has a gate: call setGate() once.');
    this.#gate = gate;
  }

  /** True if there is no feature to call. */
  get isEmpty(): boolean {
    return this.#features.length === 0;
  }

  /** True if a feature asks when connections were heard. */
  get needsHeardTimes(): boolean {
    return this.#features.some((feature) => feature.needsHeardTimes === true);
  }

  /** Asks the gate to check a connection. Without a gate, every connection is admitted. */
  check(connection: Connection): Standing {
    if (this.#gate === undefined) return 'admitted';
    try {
      return this.#gate.check(connection);
    } catch (error) {
      this.#reporter.report(error, 'feature');
      return 'unknown';
    }
  }

  /** Returns true if the author of a change may change the Store. */
  mayWrite(origin: AskedOrigin<Connection, Request>): boolean {
    if (this.#gate === undefined) return true;
    try {
      return this.#gate.mayWrite(callerOf(origin));
    } catch (error) {
      this.#reporter.report(error, 'feature');
      return false;
    }
  }

  /** Returns the id of the caller's user; undefined if it has none. */
  userIdOf(caller: Connection | Request): string | undefined {
    return this.#gate?.userIdOf?.(caller);
  }

  /** Returns the client id combined with its user: a stolen id of another user is then another id (`GATE-12`). */
  clientIdOf(caller: Connection, clientId: string): string {
    return clientId + (this.userIdOf(caller) ?? '');
  }

  /** Adds a feature. Throws if its letter is not one character, or is taken. */
  add(feature: RoomFeature<Connection, Request>): void {
    if (!isPlain(feature)) throw notGot('addFeature', 'object with the methods of a feature');
    const { letter } = feature;
    const given: unknown = letter;
    if (letter !== undefined) {
      if (typeof given !== 'string' || given.length !== 1)
        throw new Error(`The letter of a feature has to be one character, not "${String(given)}".`);
      if (CORE_LETTERS.has(letter) || this.#byLetter.has(letter))
        throw new Error(
          `The letter "${letter}" of a feature is taken: call createEvents and createPresence once in a room, and give a feature of your own another letter.`,
        );
      this.#byLetter.set(letter, feature);
    }
    this.#features.push(feature);
  }

  /** Returns the frame of a feature; undefined for any other frame. */
  frameOf(data: unknown): FeatureFrame<Connection, Request> | undefined {
    if (this.#byLetter.size === 0) return undefined;
    try {
      const frame = readFrame(this.#settings.messagePrefix, data);
      const feature = frame && this.#byLetter.get(frame.letter);
      return feature && { feature, json: frame.json };
    } catch {
      // The app's prefix could not be read. The core reads it next, and reports the error.
      return undefined;
    }
  }

  /** Hands a frame to its feature. Nothing waits for it. */
  receive(
    connection: Connection,
    { feature, json }: FeatureFrame<Connection, Request>,
    isIntact: boolean,
  ): void {
    try {
      const received = feature.received?.(connection, json, isIntact);
      if (received instanceof Promise)
        received.catch((error: unknown) => this.#reporter.report(error, 'feature'));
    } catch (error) {
      this.#reporter.report(error, 'feature');
    }
  }

  admitted(connection: Connection): void {
    for (const feature of this.#features) this.#tell(() => feature.admitted?.(connection));
  }

  live(connection: Connection): void {
    for (const feature of this.#features) this.#tell(() => feature.live?.(connection));
  }

  left(connection: Connection): void {
    for (const feature of this.#features) this.#tell(() => feature.left?.(connection));
  }

  committed(commit: RoomCommit<Connection, Request>): void {
    for (const feature of this.#features) this.#tell(() => feature.committed?.(commit));
  }

  written(version: number): void {
    for (const feature of this.#features) this.#tell(() => feature.written?.(version));
  }

  garbageCollect(): void {
    for (const feature of this.#features) this.#tell(() => feature.garbageCollect?.());
  }

  loaded(): void {
    for (const feature of this.#features) this.#tell(() => feature.loaded?.());
  }

  taken(call: TakenCall, connection: Connection): void {
    for (const feature of this.#features) this.#tell(() => feature.taken?.(call, connection));
  }

  /** True if a feature may have the content of a room that has no Store. */
  get hasInitialContent(): boolean {
    return this.#features.some((feature) => feature.initialContent !== undefined);
  }

  /** Resolves to the content of the first feature that has one. */
  async initialContent(): Promise<LeafMap<Leaf> | undefined> {
    for (const feature of this.#features) {
      const content = await feature.initialContent?.();
      if (content !== undefined) return content;
    }
    return undefined;
  }

  /** Returns the answer of the first feature that has one. */
  answer(request: Request, path: string, isLoaded: boolean): Promise<Response> | undefined {
    for (const feature of this.#features) {
      if (!isLoaded && feature.answersUnloaded !== true) continue;
      const answer = feature.answer?.(request, path);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#reporter.report(error, 'feature');
    }
  }
}
