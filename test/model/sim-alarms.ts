import type { RoomLifecycle } from '../../src/server/features/lifecycle/room-lifecycle.ts';
import type { HostAlarms } from '../../src/server/features/lifecycle/host-alarms.ts';
import type { StoreRequest } from '../../src/server/http/store-endpoint.ts';
import type { RoomId } from '../../src/server/hosts/room-id.ts';
import type { Choices } from './choices.ts';
import type { Wire } from './network.ts';
import { PropertyFailure, type World } from './world.ts';

/** The parts of one process of the room that the app uses. */
export interface AppPorts {
  readonly lifecycle: RoomLifecycle<Wire, StoreRequest>;
  readonly roomId: RoomId;
  readonly alarms: HostAlarms;
  readonly now: () => number;
}

/** The times after which the app wants to be called. */
const PAUSES = [0, 5_000, 40_000];
/** A clock may be read a moment before the time of its alarm. */
const TOLERANCE_MILLISECONDS = 10;
/** A save takes two rows at most, and so does an emptying. */
const ROWS_A_CALL = 2;
/** The room's id, the versions that are saved, and the alarm. */
const FIRST_ROWS = 3;

/** The alarms of the app, and the rows and alarms that the room writes beside those. */
export class SimAlarms {
  /** True if a write has failed. To a host, the id and an alarm of one turn are one write; this disk may fail the id alone. */
  hasFailed = false;
  /** True: the app's handler may throw. */
  isUnreliable = true;
  readonly #world: World;
  /** The time at which the app is to be called; null if it is not. Undefined while there is no telling, after a crash. */
  #expected: number | null | undefined = null;
  #operations = 0;
  /** The number of the operation that was the last call of the handler. */
  #handled = -1;
  #rows = 0;
  #allowed = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** The time at which the app is to be called; undefined if that is unknown, or there is none. */
  get due(): number | undefined {
    return this.#expected ?? undefined;
  }

  /** Forgets the time: a change that was on its way to the disk may be there, or not. */
  forget(): void {
    this.#operations += 1;
    this.#expected = undefined;
  }

  /** A write failed: the room may load again, and write again what it has written. */
  failed(): void {
    this.hasFailed = true;
    this.forget();
    this.began();
  }

  /** The app empties the storage, alarm and all, and the room begins again. */
  emptied(): void {
    this.forget();
    this.began();
  }

  set({ lifecycle, roomId, alarms, now }: AppPorts, choices: Choices): void {
    const time = now() + choices.pick(PAUSES);
    this.#change(time, () =>
      Promise.all([roomId.store(), lifecycle.setAlarm(time, () => alarms.set(time))]),
    );
  }

  delete({ lifecycle, alarms }: AppPorts): void {
    this.#change(null, () => lifecycle.deleteAlarm(() => alarms.delete()));
  }

  /** The app asks for its alarm, and knows nothing of the room's. */
  ask({ lifecycle }: AppPorts): void {
    const operation = this.#operations;
    const expected = this.#expected;
    lifecycle.getAlarm().then(
      (time) => {
        if (operation !== this.#operations || expected === undefined || time === expected) return;
        this.#fail(`the app is told that its alarm is ${time}, and it has set ${expected}`);
      },
      (error: unknown) => this.#world.note(`    app has no answer: ${String(error)}`),
    );
  }

  /** The handler of the app. It is called for its own alarms alone, and not before their time. */
  async handle(now: number, throws: boolean): Promise<void> {
    const expected = this.#expected;
    this.#operations += 1;
    if (expected === null) this.#fail('the app is called, and has set no alarm');
    else if (expected !== undefined && expected > now + TOLERANCE_MILLISECONDS)
      this.#fail(`the app is called at ${now}, and has set ${expected}`);
    if (throws) throw new Error('The handler of the app threw.');
    this.#handled = this.#operations;
    this.#expected = undefined;
  }

  /** The room has forgotten the alarm whose handler was called last, if the app has set no other one. */
  settled(): void {
    if (this.#handled === this.#operations) this.#expected = null;
  }

  /** The room writes so many rows of its own, or sets or deletes its alarm. */
  wrote(rows: number): void {
    this.#rows += rows;
    this.#check();
  }

  /** A hook is called. */
  called(): void {
    this.#allowed += ROWS_A_CALL;
  }

  /** The room may set its alarm once more: the last one came, everybody has left, or its clock was set. */
  changed(): void {
    this.#allowed += 1;
  }

  /** A room is loaded, and may write its first rows. */
  began(): void {
    this.#allowed += FIRST_ROWS;
  }

  #change(to: number | null, change: () => Promise<unknown>): void {
    const operation = (this.#operations += 1);
    this.#expected = undefined;
    // The row of its time, and the alarm that is then the first one.
    this.#allowed += 2;
    change().then(
      () => {
        if (operation === this.#operations) this.#expected = to;
      },
      (error: unknown) => this.#world.note(`    app has no alarm: ${String(error)}`),
    );
  }

  #check(): void {
    if (this.#rows <= this.#allowed) return;
    this.#fail(`the room has written ${this.#rows} rows for its hooks, and may ${this.#allowed}`);
  }

  #fail(message: string): void {
    this.#world.fail(new PropertyFailure('alarms', message));
  }
}
