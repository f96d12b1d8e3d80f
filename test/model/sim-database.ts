import type { Content } from 'tinybase';

import { decodeContent } from '../../src/protocol/codec.ts';
import type { Leaf } from '../../src/protocol/leaf.ts';
import { LeafMap } from '../../src/protocol/leaf-map.ts';
import type { Cursor } from '../../src/protocol/messages.ts';
import type {
  LifecycleHooks,
  Save,
  TakenMessage,
} from '../../src/server/features/lifecycle/lifecycle-hooks.ts';
import type { Choices } from './choices.ts';
import type { Journal } from './journal.ts';
import { describeDifferences, differences } from './leaves.ts';
import type { Wire } from './network.ts';
import { type Occurrence, PropertyFailure, type Source, type World } from './world.ts';

interface Call {
  readonly name: string;
  readonly answer: () => void;
  readonly fail: () => void;
  /** The effect of the call, which lasts if its answer is lost. */
  readonly effect: () => void;
}

const WEIGHT = 2;
const FAILING_PERCENT = 20;

/** The app's own database, in which a room is saved, and which outlives every process of the room. */
export class SimDatabase implements Source {
  /** The content of a room that has none. */
  readonly initial: Content | undefined;
  /** The version that was saved last. */
  saved: Cursor | undefined;
  /** The version with which the app was told last that the room is empty. */
  emptied: Cursor | undefined;
  /** False once the room's disk was set back, and the database was not. */
  isComparable = true;
  /** True: it may fail. */
  isUnreliable = true;
  /** Called whenever a hook is called that saves. */
  onCall: () => void = () => undefined;
  /** True if somebody is connected. */
  isAnybodyThere: () => boolean = () => false;
  readonly #world: World;
  readonly #journal: Journal;
  /** Every version that it ever had. */
  readonly #had = new Set<string>();
  /** The sockets of which the app has heard, and if they have left. */
  readonly #visits = new Map<Wire, 'came' | 'left'>();
  /** The versions of pushes of which the app has heard. */
  readonly #taken = new Set<number>();
  /** True: the room believes that a write is on disk before it is. */
  readonly #isEarly: boolean;
  #calls: Call[] = [];

  constructor(world: World, journal: Journal, initial: Content | undefined, isEarly: boolean) {
    this.#isEarly = isEarly;
    this.#world = world;
    this.#journal = journal;
    this.initial = initial;
  }

  *occurrences(): Iterable<Occurrence> {
    if (this.#calls.length === 0) return;
    yield {
      label: 'database',
      weight: WEIGHT,
      happen: (choices) => {
        const call = this.#calls.shift();
        if (this.isUnreliable && choices.percent(FAILING_PERCENT)) call?.fail();
        else {
          call?.effect();
          call?.answer();
        }
      },
    };
  }

  /** True if nothing is on its way to it. */
  get isIdle(): boolean {
    return this.#calls.length === 0;
  }

  /** The hooks of one process of the room. */
  get hooks(): LifecycleHooks<Wire, never> {
    return {
      getInitialStorage: () => this.#load(),
      onStorageUpdated: (save) => this.#save(save),
      onRoomDeleted: (save) => this.#empty(save),
      onUserConnected: (wire) => this.#visited(wire, 'came'),
      onUserDisconnected: (wire) => this.#visited(wire, 'left'),
      onRoomMessage: (message) => this.#heard(message),
    };
  }

  /** The process dies that has asked. What it has sent may have arrived. */
  forget(choices: Choices | undefined): void {
    for (const { effect } of this.#calls.splice(0)) if (choices?.percent(50) === true) effect();
  }

  /** Checks that the database has had each version that the room stores as saved. `row` is that of the room. */
  checkPlace(row: unknown): void {
    const [place] = JSON.parse(String(row)) as [[epoch: string, version: number] | null];
    if (place === null || !this.isComparable) return;
    const [epoch, version] = place;
    const isLoaded = this.initial !== undefined && version === 1;
    if (isLoaded || this.#had.has(`${epoch} ${version}`)) return;
    const message = `version ${version} is stored as saved, and the database never had it`;
    this.#world.fail(new PropertyFailure('saved', message));
  }

  /** Checks that a socket comes once, and leaves once, after it came (SAVE-8). */
  #visited(wire: Wire, what: 'came' | 'left'): void {
    const before = this.#visits.get(wire);
    this.#visits.set(wire, what);
    if (before === (what === 'came' ? undefined : 'came')) return;
    this.#world.fail(
      new PropertyFailure('visits', `${wire.label} ${what}, and before ${before ?? 'nothing'}`),
    );
  }

  /** Checks that the app hears of each push once, when it is on disk (SAVE-9). */
  #heard(message: TakenMessage): void {
    if (message.type !== 'push' || this.#isEarly || !this.isComparable) return;
    const branches = [...this.#journal.branches()];
    if (branches.length !== 1) return;
    const { version } = message;
    const onDisk = branches[0]?.version ?? 0;
    if (version > onDisk)
      this.#world.fail(
        new PropertyFailure('messages', `the app hears of ${version}, and on disk is ${onDisk}`),
      );
    if (this.#taken.has(version))
      this.#world.fail(new PropertyFailure('messages', `the app hears of ${version} twice`));
    this.#taken.add(version);
  }

  #load(): Promise<Content | null> {
    // Its row is deleted as soon as the room has had it.
    const [...branches] = this.#journal.branches();
    const content = branches.length === 0 ? (this.initial ?? null) : null;
    return new Promise((resolve, reject) => {
      this.#calls.push({
        name: 'load',
        answer: () => resolve(content),
        fail: () => reject(new Error('The database is down.')),
        effect: () => undefined,
      });
    });
  }

  #empty(save: Save): Promise<void> {
    if (this.isAnybodyThere())
      this.#world.fail(new PropertyFailure('saved', 'the room is emptied, and somebody is there'));
    const { epoch, version } = save;
    return this.#save(save, () => {
      this.emptied = { epoch, version };
    });
  }

  #save({ content, version, epoch }: Save, then: () => void = () => undefined): Promise<void> {
    this.onCall();
    if (this.#calls.some(({ name }) => name === 'save'))
      this.#world.fail(new PropertyFailure('saved', 'two saves at a time'));
    return new Promise((resolve, reject) => {
      this.#calls.push({
        name: 'save',
        answer: resolve,
        fail: () => reject(new Error('The database is down.')),
        effect: () => {
          this.#saved(content, { epoch, version });
          then();
        },
      });
    });
  }

  #saved(content: Content, cursor: Cursor): void {
    const { epoch, version } = cursor;
    if (this.isComparable && this.saved?.epoch === epoch && version < this.saved.version)
      this.#world.fail(
        new PropertyFailure('saved', `version ${version} after ${this.saved.version}`),
      );
    this.saved = cursor;
    this.#had.add(`${epoch} ${version}`);
    const written = this.#journal.contentAt(cursor);
    const shown = decodeContent(JSON.stringify(content)) ?? new LeafMap<Leaf>();
    const found = written === undefined ? undefined : differences(shown, written);
    if (!this.isComparable || found?.length === 0) return;
    const what =
      found === undefined ? 'is not on disk' : `is not as on disk: ${describeDifferences(found)}`;
    this.#world.fail(new PropertyFailure('saved', `version ${version} ${what}`));
  }
}
