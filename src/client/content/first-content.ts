import { findDeepLeaves, withoutLeaves } from '../../protocol/deep-leaves.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import type { SeedCorrection } from '../../protocol/messages.ts';
import { refusalsOf, refusalsOfCorrection, type Refusal } from '../replica/refusal.ts';
import type { Replica } from '../replica/replica.ts';
import type { InitialContent } from '../session/sync.ts';

/** What the Store is busy with the app's own transaction for. */
export const BUSY = 'busy';

/** What this client would give a room that has no Store yet (SEED-2, SEED-3). */
export class FirstContent {
  readonly #replica: Replica;
  /** The app's suggestion, to be shown if nothing of a room was. */
  #initial: InitialContent | undefined;
  /** The same, for as long as the session lasts: a room may lose its Store. */
  #kept: InitialContent | undefined;
  /** True once the Store has shown a room's content: it is a seed no more. */
  #wasRooted = false;
  #answers = 0;
  #refused: Refusal[] = [];

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /** The app's own suggestion for a room that has nothing. */
  suggest(initial: InitialContent | undefined): void {
    this.#initial = initial;
    this.#kept = initial ?? this.#kept;
  }

  /** The room has a Store, and the Store here shows it. */
  rooted(): void {
    this.#wasRooted = true;
    this.#answers = 0;
    this.#initial = undefined;
  }

  /** It is not shown any more, until the app suggests again. */
  dropSuggestion(): void {
    this.#initial = undefined;
  }

  /** Another room: it was given nothing yet, and gets nothing of what is shown. */
  reset(): void {
    this.#answers = 0;
  }

  /** The room answered a PUT. */
  answered(): void {
    this.#answers++;
  }

  /** What the room says that it refused or altered of what was PUT (SEED-4). */
  corrected(given: LeafMap<Leaf>, { correction, reason }: SeedCorrection): void {
    const asked = { deletedRows: new Map<string, never>(), leaves: given };
    this.#refused.push(...refusalsOfCorrection(asked, correction, reason ?? 'unknown'));
  }

  /** What was refused since the last call: told when the Store shows what came of it. */
  takeRefusals(): readonly Refusal[] {
    return this.#refused.splice(0);
  }

  /** Shows the suggestion, if nothing of a room was ever shown. False: the Store is busy. */
  show(): boolean {
    const initial = this.#wasRooted ? undefined : this.#initial;
    if (initial === undefined) return true;
    const content = (this.#initial = this.#shallow(contentOf(initial)));
    if (content === undefined) return true;
    const isDone = this.#replica.catchUp(content, 0, undefined, true);
    if (isDone) this.#initial = undefined;
    return isDone;
  }

  /**
   * What to PUT next: the seed, then, if all of it was refused, nothing; undefined after that. What the Store shows of a
   * room is no seed: once it does, that is the app's suggestion alone.
   */
  next(): LeafMap<Leaf> | typeof BUSY | undefined {
    if (this.#answers > 1) return undefined;
    if (this.#answers === 1) return new LeafMap();
    if (this.#wasRooted) return this.#shallow(contentOf(this.#kept)) ?? new LeafMap();
    return this.#shallow(this.#replica.readBase()) ?? BUSY;
  }

  /** Leaves out what is nested too deeply for any room, and reports it (`CHANGES-4`). */
  #shallow(content: LeafMap<Leaf> | undefined): LeafMap<Leaf> | undefined {
    const deep = content && findDeepLeaves(content);
    if (content === undefined || deep === undefined) return content;
    const asked = { deletedRows: new Map<string, never>(), leaves: deep };
    for (const refusal of refusalsOf(asked, 'malformed')) this.#refused.push(refusal);
    return withoutLeaves(content, deep);
  }
}

function contentOf(initial: InitialContent | undefined): LeafMap<Leaf> | undefined {
  return typeof initial === 'function' ? initial() : initial;
}
