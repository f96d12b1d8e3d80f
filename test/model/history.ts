import { Actions } from './actions.ts';
import { Choices } from './choices.ts';
import type { Mutant } from './mutant.ts';
import { checkLonely, checkOther, checkQuiet } from './properties.ts';
import { recordTraits, type Recording } from './recording.ts';
import { Simulation, type Beginning } from './simulation.ts';
import { PropertyFailure, type Occurrence } from './world.ts';

/** A history: all of it follows from these. */
export interface HistoryPlan extends Beginning {
  /** How many steps there are before all is left to come to quiet. */
  readonly length: number;
  /** Steps that are left out, to find the few that a failure needs. */
  readonly skipped?: ReadonlySet<number>;
}

/** What became of a history. */
export interface HistoryOutcome {
  readonly failure: Error | undefined;
  readonly trace: readonly string[];
  readonly steps: number;
  /** The same history, whatever becomes of how seeds are read. */
  readonly record: (title: string) => Recording;
}

const QUIET_STREAM = 2_000_000;
const WARM_STREAM = 3_000_000;
/** All that one pass of quiet time may take. */
const MOST_QUIET_STEPS = 6_000;
const QUIET_PASSES = 6;
/** The number of times that something happens to a room in which nobody is. */
const LONELY_ROUNDS = 4;
/** All that such a room needs, and the app's own. */
const MOST_ALARMS = 20;
/** Longer than a ping and its answer, a hook's limit and the longest pause before another attempt. */
const PASS_MILLISECONDS = 60_000;

/** Lives through a history and checks every step of it. */
export async function liveThrough(plan: HistoryPlan, mutant?: Mutant): Promise<HistoryOutcome> {
  const history = new History(plan, mutant);
  let failure: Error | undefined;
  try {
    await history.run();
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
  }
  return {
    failure,
    trace: history.simulation.world.trace,
    steps: history.steps,
    record: (title) => history.record(title),
  };
}

/** Lives through a recorded history and checks every step of it. */
export async function liveAgain(recording: Recording, mutant?: Mutant): Promise<HistoryOutcome> {
  return await liveThrough({ seed: recording.seed, length: 0, recording }, mutant);
}

class History {
  readonly simulation: Simulation;
  steps = 0;
  readonly #plan: HistoryPlan;
  readonly #actions: Actions;
  readonly #quiet: Choices;
  #warmSteps = 0;
  readonly #recorded: [label: string, choices: Choices, lotsBefore: number][] = [];

  constructor(plan: HistoryPlan, mutant: Mutant | undefined) {
    this.#plan = plan;
    this.simulation = new Simulation(plan, mutant);
    this.#actions = new Actions(this.simulation);
    this.simulation.world.addSource(this.#actions);
    this.#quiet = new Choices(plan.seed, QUIET_STREAM);
  }

  async run(): Promise<void> {
    const { recording } = this.#plan;
    if (recording !== undefined) await this.#replay(recording);
    else {
      if (this.simulation.traits.isWarm) await this.#warmUp();
      await this.#drawSteps();
    }
    await this.#comeToQuiet();
    await this.#visitOther();
    await checkQuiet(this.simulation);
    for (const client of this.simulation.clients) {
      if (!client.isAlive || client.undo === undefined) continue;
      await this.#step(
        {
          label: `${client.name} undoes all`,
          weight: 1,
          happen: () => client.undoAll(this.simulation.disk.branch?.entries ?? []),
        },
        this.#quiet,
      );
      await this.#comeToQuiet();
      await checkQuiet(this.simulation);
    }
    if (this.simulation.alarms !== undefined) await this.#leave();
  }

  /** Everybody moves to the other room, and back: what was kept for it gets there. */
  async #visitOther(): Promise<void> {
    const { simulation } = this;
    const { other, clients } = simulation;
    if (other === undefined) return;
    for (const place of [other, simulation]) {
      const label = `everybody goes to ${place === other ? 'the other room' : 'the room'}`;
      const goThere = (): void => {
        for (const client of clients) if (client.isAlive && client.canMove) client.goTo(place);
      };
      await this.#step({ label, weight: 1, happen: goThere }, this.#quiet);
      await this.#comeToQuiet();
      if (place === other) checkOther(simulation, other);
    }
  }

  /** Everybody leaves. From now on, nothing but the alarm wakes the room, and no timer is certain. */
  async #leave(): Promise<void> {
    const { simulation } = this;
    const { clients, room, thief, world } = simulation;
    const happen = async (label: string, act: (choices: Choices) => unknown): Promise<void> => {
      await this.#step({ label, weight: 1, happen: act }, this.#quiet);
      await this.#drain();
    };
    await happen('everybody leaves', (choices) => {
      for (const client of clients) if (client.isAlive) simulation.closeTab(client, choices);
      thief?.leave();
    });
    for (let round = 0; round < LONELY_ROUNDS; round += 1) {
      if (this.#quiet.percent(60)) await happen('room edits', (choices) => room.edit(choices));
      if (this.#quiet.percent(60)) await happen('room is killed', (choices) => room.kill(choices));
      // A host that has forgotten the alarm is told it again by a room that is loaded.
      await happen('room is loaded', () => room.wake());
      if (this.#quiet.percent(60)) await happen('room is ended', () => room.kill());
      for (let alarm = 0; alarm < MOST_ALARMS; alarm += 1) {
        const { alarmTime } = room;
        if (alarmTime === undefined) break;
        world.clock.passTo(alarmTime);
        await this.#drain();
      }
      checkLonely(simulation);
    }
  }

  /** Everything happens that can, and no time passes. */
  async #drain(): Promise<void> {
    for (let step = 0; step < MOST_QUIET_STEPS; step += 1) {
      const occurrence = this.#quiet.pickStable(this.simulation.world.occurrences());
      if (occurrence === undefined) return;
      await this.#step(occurrence, this.#quiet);
    }
  }

  /** The steps so far, by name. */
  record(title: string): Recording {
    const { traits, uniqueAtFirst } = this.simulation;
    return {
      title,
      seed: this.#plan.seed,
      uniqueLeaves: uniqueAtFirst,
      warmSteps: this.#warmSteps,
      traits: recordTraits(traits),
      steps: this.#recorded.map(([label, { lots }, before]) => [label, ...lots.slice(before)]),
    };
  }

  async #drawSteps(): Promise<void> {
    const { seed, length, skipped } = this.#plan;
    for (let step = 0; step < length; step += 1) {
      if (skipped?.has(step) === true) continue;
      const choices = new Choices(seed, step);
      const occurrence = choices.pickStable(this.simulation.world.occurrences());
      if (occurrence === undefined) continue;
      this.simulation.world.note(`#${step}`);
      this.#recorded.push([occurrence.label, choices, choices.lots.length]);
      await this.#step(occurrence, choices);
    }
  }

  async #replay({ seed, steps, warmSteps }: Recording): Promise<void> {
    this.#warmSteps = warmSteps;
    // Whatever is drawn in the end is drawn as it was, after one lot for each step, and one that found nothing to do.
    for (let lot = 0; lot < (warmSteps === 0 ? 0 : warmSteps + 1); lot += 1) this.#quiet.below(1);
    for (const [step, [label, ...lots]] of steps.entries()) {
      this.#loseMessages(step >= warmSteps);
      const occurrence = this.simulation.world
        .occurrences()
        .find((candidate) => candidate.label === label);
      this.simulation.world.note(`#${step}`);
      if (occurrence === undefined) {
        this.simulation.world.note(`${label}: not possible`);
        continue;
      }
      const choices = new Choices(seed, step, lots);
      this.#recorded.push([label, choices, 0]);
      await this.#step(occurrence, choices);
    }
  }

  /** Everybody joins, and nothing gets in their way. */
  async #warmUp(): Promise<void> {
    const { world } = this.simulation;
    this.#actions.isActive = false;
    this.#loseMessages(false);
    for (let step = 0; step < MOST_QUIET_STEPS; step += 1) {
      const occurrence = this.#quiet.pickStable(world.occurrences());
      if (occurrence === undefined) break;
      const choices = new Choices(this.#plan.seed, WARM_STREAM + step);
      this.#recorded.push([occurrence.label, choices, 0]);
      await this.#step(occurrence, choices);
    }
    this.#actions.isActive = true;
    this.#loseMessages(true);
    this.#warmSteps = this.#recorded.length;
    world.note('#warm');
  }

  #loseMessages(isLossy: boolean): void {
    const { http, other } = this.simulation;
    http.isLossy = isLossy;
    if (other !== undefined) other.http.isLossy = isLossy;
  }

  async #step(occurrence: Occurrence, choices: Choices): Promise<void> {
    this.steps += 1;
    await this.simulation.world.step(occurrence, choices);
  }

  async #comeToQuiet(): Promise<void> {
    const { world, disk, network, other, database, alarms } = this.simulation;
    world.note('#quiet');
    this.#actions.isActive = false;
    network.endDeafness();
    other?.network.endDeafness();
    this.#loseMessages(false);
    disk.failWrites(0, false);
    for (const client of this.simulation.clients)
      if (client.traits.disk !== undefined) client.traits.disk.isFull = false;
    if (database !== undefined) database.isUnreliable = false;
    if (alarms !== undefined) alarms.isUnreliable = false;
    if (this.simulation.gate !== undefined) this.simulation.gate.isUnreliable = false;
    await this.#step(
      { label: 'everybody takes part', weight: 1, happen: () => this.#takePart() },
      this.#quiet,
    );
    for (let pass = 0; pass < QUIET_PASSES; pass += 1) {
      // Some hear only now that their token has ended.
      if (this.simulation.gate !== undefined)
        await this.#step(
          { label: 'everybody logs in', weight: 1, happen: () => this.#logIn() },
          this.#quiet,
        );
      await this.#pass();
      if (this.#unsettled().length === 0 && !(await this.#reload())) return;
      this.#startRefused();
    }
    throw new PropertyFailure(
      'convergence',
      `does not come to quiet: ${this.#unsettled().join('; ')}`,
    );
  }

  /** Users load a page again that could not use its storage. Returns false if there is none with edits in it. */
  async #reload(): Promise<boolean> {
    const { clients } = this.simulation;
    const client = clients.find(({ hasLeftEdits }) => hasLeftEdits);
    if (client === undefined) return await this.#openForEdits();
    await this.#step(
      {
        label: `${client.name} is loaded again`,
        weight: 1,
        happen: (choices) => this.simulation.restartTab(client, choices),
      },
      this.#quiet,
    );
    return true;
  }

  /** Users who have edits in a browser open a page there. Returns false if there are none without one. */
  async #openForEdits(): Promise<boolean> {
    if (!this.simulation.has('remounts')) return false;
    let isOpened = false;
    const open = (): void => {
      for (const client of [...this.simulation.clients])
        if (client.isAlive && this.simulation.openForEdits(client)) isOpened = true;
    };
    await this.#step({ label: 'users come back', weight: 1, happen: open }, this.#quiet);
    return isOpened;
  }

  #logIn(): void {
    for (const client of this.simulation.clients) if (client.isThrownOut) client.logIn();
  }

  #takePart(): void {
    const { room, clients } = this.simulation;
    if (room.isEditing) room.finishTransaction(false);
    room.wake();
    for (const client of clients) {
      if (!client.isAlive) continue;
      if (client.isAside) client.comeBack();
      if (client.isEditing) client.finishTransaction(false);
      if (this.simulation.has('remounts') && (client.isAway || !client.usesDisk)) {
        if (!client.isAway) client.unmount();
        this.simulation.mountAsFirst(client);
      }
      client.arrive();
      if (client.isIdle) continue;
      if (!client.session.isFollowing) void client.session.follow();
      if (!client.session.isSaving) void client.session.startSaving();
    }
  }

  /** Something else has answered in the place of the room and refused clients: their app starts them again. */
  #startRefused(): void {
    for (const { isAlive, sync, session } of this.simulation.clients)
      if (isAlive && sync.code === 'forbidden') void session.follow();
  }

  /** Everything happens that can, and time passes. */
  async #pass(): Promise<void> {
    const { world } = this.simulation;
    const end = world.clock.now() + PASS_MILLISECONDS;
    const time: Occurrence = { label: 'time', weight: 1, happen: () => world.clock.fireNext() };
    for (let step = 0; step < MOST_QUIET_STEPS; step += 1) {
      const occurrence = this.#quiet.pickStable(world.occurrences());
      const due = world.clock.nextDue();
      if (occurrence !== undefined) await this.#step(occurrence, this.#quiet);
      else if (due !== undefined && due <= end) await this.#step(time, this.#quiet);
      else {
        world.clock.passTo(end);
        return;
      }
    }
    throw new PropertyFailure(
      'convergence',
      `there is no end to it: ${this.#unsettled().join('; ')}`,
    );
  }

  /** Who is not at rest, and why. */
  #unsettled(): string[] {
    const { clients, disk, database } = this.simulation;
    const unsettled: string[] = [];
    if (database?.isComparable === true && disk.branch !== undefined) {
      const { epoch, version } = database.saved ?? {};
      const isAsLoaded =
        database.initial !== undefined && epoch === undefined && disk.branch.version === 1;
      if (!isAsLoaded && (epoch !== disk.branch.epoch || version !== disk.branch.version))
        unsettled.push(`the database at version ${version}, the room at ${disk.branch.version}`);
    }
    for (const client of clients) {
      const { isAlive, isIdle, hasEnded, current, name, sync, session, place } = client;
      if (hasEnded && current.isIdle) unsettled.push(`${name} has ended, and its twin waits`);
      if (!isAlive || isIdle) continue;
      // It takes over those of closed tabs, unless a tab that has no storage any more holds their lock.
      const areAllAble = clients.every(
        ({ isAlive: mayHold, hasStorage, traits: { disk: other }, user }) =>
          !mayHold || hasStorage || other !== client.traits.disk || user !== client.user,
      );
      if (areAllAble && client.hasEditsOnDisk) unsettled.push(`${name} has edits on its disk`);
      const version = session.cursor?.version;
      if (sync.phase !== 'live' || sync.unsaved > 0)
        unsettled.push(`${name} ${sync.phase} ${sync.unsaved}`);
      else if (version !== (place.disk.branch?.version ?? 0))
        unsettled.push(`${name} at version ${version}`);
    }
    return unsettled;
  }
}
