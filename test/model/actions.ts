import type { Choices } from './choices.ts';
import type { SimClient } from './sim-client.ts';
import type { Simulation } from './simulation.ts';
import type { Occurrence, Source } from './world.ts';

/** So many tabs begin in a history, those that have ended among them. */
const MOST_TABS = 9;
const MOST_OF_MANY_TABS = 16;
const HOUR_MILLISECONDS = 3_600_000;
/** A little more than one. */
const DAY_MILLISECONDS = 25 * HOUR_MILLISECONDS;
const MOST_DAYS = 20;
/** Each takes some attempts to be given up. */
const MOST_POISONS = 2;
/** Edits of a session that has ended are reported sooner. */
const LONGEST_AWAY_MILLISECONDS = 6000;
/** Other pages search for edits each 10 s. */
const LONGEST_ASIDE_MILLISECONDS = 30_000;

function* weighted(occurrences: Iterable<Occurrence>, factor: number): Iterable<Occurrence> {
  if (factor === 0) return;
  for (const occurrence of occurrences) {
    yield {
      label: occurrence.label,
      weight: occurrence.weight * factor,
      happen: (choices) => occurrence.happen(choices),
    };
  }
}

/** What people, machines and accidents do in a history, beside what follows from it. */
export class Actions implements Source {
  /** False: all is left to come to quiet. */
  isActive = true;
  readonly #simulation: Simulation;
  #days = 0;
  #poisons = 0;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  get #mostTabs(): number {
    return this.#simulation.has('many-tabs') ? MOST_OF_MANY_TABS : MOST_TABS;
  }

  *occurrences(): Iterable<Occurrence> {
    if (!this.isActive) return;
    const { clients, traits, world, network } = this.#simulation;
    for (const client of clients) {
      if (!client.isAlive) continue;
      if (client.isAside) {
        yield* this.#ofAside(client);
        continue;
      }
      if (client.traits.partner === undefined) yield* this.#ofUser(client);
      if (client.partner !== undefined && !client.traits.partner && !client.isIdle)
        yield* this.#ofTwins(client);
      yield* weighted(this.#ofClientFaults(client), traits.cutWeight);
      yield* weighted(this.#ofTabs(client), traits.cutWeight);
    }
    yield* this.#ofRoom();
    yield* weighted(this.#ofRoomFaults(), traits.faultWeight);
    if (traits.isLeaky) yield* network.leaks();
    if (this.#simulation.has('app-closes')) yield* this.#ofClosingApp();
    if (this.#simulation.has('slow-readers')) yield* this.#ofReaders();
    yield* this.#ofTokens();
    yield* this.#ofThief();
    yield* this.#ofStockPeers();
    yield* this.#ofClocks();
    yield { label: 'time', weight: 0.6, happen: () => world.clock.fireNext() };
  }

  *#ofUser(client: SimClient): Iterable<Occurrence> {
    const { name } = client;
    if (client.isAway) {
      yield* this.#ofAway(client);
      return;
    }
    const { session } = client.current;
    yield { label: `${name} edits`, weight: 1, happen: (choices) => client.edit(choices) };
    if (this.#simulation.has('poison') && this.#poisons < MOST_POISONS)
      yield {
        label: `${name} makes an edit at which the room dies`,
        weight: 0.1,
        happen: (choices) => {
          this.#poisons += 1;
          client.poison(choices);
        },
      };
    if (client.calls !== undefined) {
      yield { label: `${name} calls`, weight: 0.7, happen: (choices) => client.call(choices) };
    }
    if (client.isEditing) {
      yield {
        label: `${name} ends its transaction`,
        weight: 1,
        happen: (choices) => client.finishTransaction(choices.percent(40)),
      };
    } else
      yield {
        label: `${name} begins a transaction`,
        weight: 0.1,
        happen: () => client.openTransaction(),
      };
    if (client.undo !== undefined) {
      yield { label: `${name} undoes`, weight: 0.5, happen: () => client.move(true) };
      yield { label: `${name} redoes`, weight: 0.3, happen: () => client.move(false) };
      yield {
        label: `${name} ends its step`,
        weight: 0.1,
        happen: () => client.undo?.checkpoint(),
      };
    }
    yield {
      label: `${name} ${session.isSaving ? 'stops' : 'starts'} saving`,
      weight: session.isSaving ? 0.06 : 0.3,
      happen: () => {
        if (session.isSaving) session.stopSaving();
        else void session.startSaving();
      },
    };
    yield {
      label: `${name} ${session.isFollowing ? 'stops' : 'starts'} following`,
      weight: session.isFollowing ? 0.05 : 0.3,
      happen: () => {
        if (session.isFollowing) session.stopFollowing();
        else void session.follow();
      },
    };
    yield { label: `${name} loads`, weight: 0.04, happen: () => session.load() };
    yield { label: `${name} saves`, weight: 0.04, happen: () => session.save() };
    yield { label: `${name} discards`, weight: 0.03, happen: () => session.discardLocal() };
  }

  /** The app has destroyed the persister of a Store, and shows it all the same. */
  *#ofAway(client: SimClient): Iterable<Occurrence> {
    const { clock } = this.#simulation.world;
    const { name } = client;
    yield { label: `${name} edits`, weight: 0.2, happen: (choices) => client.edit(choices) };
    yield {
      label: `${name} mounts again`,
      weight: 0.6,
      happen: (choices) => this.#simulation.mount(client, choices),
    };
    yield {
      label: `${name} mounts again later`,
      weight: 0.2,
      happen: (choices) => {
        clock.passTo(clock.now() + choices.below(LONGEST_AWAY_MILLISECONDS));
        this.#simulation.mount(client, choices);
      },
    };
  }

  /** The browser keeps the page for its "back" button. Meanwhile, its user opens others. */
  *#ofAside(client: SimClient): Iterable<Occurrence> {
    const { clients, world } = this.#simulation;
    const { clock } = world;
    const { name, traits } = client;
    yield { label: `${name} comes back`, weight: 0.4, happen: () => client.comeBack() };
    yield {
      label: `${name} comes back later`,
      weight: 0.2,
      happen: (choices) => {
        clock.passTo(clock.now() + choices.below(LONGEST_ASIDE_MILLISECONDS));
        client.comeBack();
      },
    };
    const siblings = clients.filter(
      (other) => other !== client && other.isAlive && other.traits.disk === traits.disk,
    );
    if (siblings.length < 2 && clients.length < this.#mostTabs)
      yield {
        label: `${name} is copied`,
        weight: 0.4,
        happen: () => this.#simulation.copyTab(client),
      };
  }

  *#ofTwins(client: SimClient): Iterable<Occurrence> {
    if (client.isEditing) return;
    yield { label: `${client.name} ends for its twin`, weight: 0.06, happen: () => client.end() };
  }

  *#ofClientFaults(client: SimClient): Iterable<Occurrence> {
    const { network, clients } = this.#simulation;
    const { name, wire } = client;
    if (wire !== undefined && wire.clientState !== 'connecting') {
      yield {
        label: `${name} is cut`,
        weight: 0.25,
        happen: (choices) => network.cut(wire, choices),
      };
      yield {
        label: `${name} has another network`,
        weight: 0.06,
        happen: () => client.session.networkChanged(),
      };
      yield { label: `${name} reconnects`, weight: 0.1, happen: () => client.reconnect() };
    }
    if (client.canMove) {
      yield {
        label: `${name} moves`,
        weight: 0.15,
        happen: (choices) => client.moveToOther(choices.percent(70)),
      };
      if (client.traits.disk === undefined && !client.isEditing)
        yield {
          label: `${name} mounts in the other room`,
          weight: 0.06,
          happen: () => client.remountElsewhere(),
        };
    }
    if (client.traits.disk === undefined && !client.isEditing && client.partner === undefined) {
      yield { label: `${name} mounts again`, weight: 0.06, happen: () => client.remount() };
    }
    if (
      this.#simulation.has('remounts') &&
      client.traits.disk !== undefined &&
      !client.isEditing &&
      !client.isAway &&
      client.partner === undefined
    ) {
      yield { label: `${name} unmounts`, weight: 0.2, happen: () => client.unmount() };
      yield {
        label: `${name} mounts again`,
        weight: 0.1,
        happen: (choices) => {
          client.unmount();
          this.#simulation.mount(client, choices);
        },
      };
    }
    if (clients.length < this.#mostTabs && !client.isEditing && client.partner === undefined) {
      yield {
        label: `${name} restarts`,
        weight: client.traits.disk === undefined ? 0.05 : 0.2,
        happen: (choices) => this.#simulation.restartTab(client, choices),
      };
    }
  }

  /** People open and close tabs of one browser, which share its disk. */
  *#ofTabs(client: SimClient): Iterable<Occurrence> {
    const { clients } = this.#simulation;
    const { name, traits } = client;
    if (traits.disk === undefined || client.isEditing || client.partner !== undefined) return;
    const isBusy = this.#simulation.has('busy-browsers');
    const isCrowded = this.#simulation.has('many-tabs');
    const others = clients.filter(
      (other) =>
        other !== client && other.isAlive && !other.isAside && other.traits.disk === traits.disk,
    );
    const siblings = others.filter((other) => other.user === client.user);
    const mostSiblings = isCrowded ? 4 : isBusy ? 2 : 1;
    if (siblings.length < mostSiblings && clients.length < this.#mostTabs) {
      yield {
        label: `${name} is copied`,
        weight: 0.15,
        happen: () => this.#simulation.copyTab(client),
      };
    }
    if (isBusy && others.length === siblings.length && clients.length < this.#mostTabs) {
      yield {
        label: `${name} is visited`,
        weight: 0.1,
        happen: () => this.#simulation.visit(client),
      };
    }
    if (this.#simulation.has('put-aside'))
      yield { label: `${name} is put aside`, weight: 0.3, happen: () => client.putAside() };
    if (isBusy)
      yield {
        label: `${name} is cleared`,
        weight: 0.04,
        happen: () => client.clear(),
      };
    if (this.#simulation.has('full-disks')) {
      const { disk } = traits;
      yield {
        label: `${name} ${disk.isFull ? 'has space' : 'has a full disk'}`,
        weight: disk.isFull ? 0.3 : 0.1,
        happen: () => {
          disk.isFull = !disk.isFull;
        },
      };
    }
    if (isCrowded && siblings.length > 0 && clients.length < this.#mostTabs)
      yield {
        label: `${name} crashes with its browser`,
        weight: 0.15,
        happen: (choices) => {
          for (const other of siblings)
            if (!other.isEditing && other.partner === undefined)
              this.#simulation.closeTab(other, choices);
          this.#simulation.restartTab(client, choices);
        },
      };
    if (siblings.length > 0)
      yield {
        label: `${name} is closed`,
        weight: 0.2,
        happen: (choices) => this.#simulation.closeTab(client, choices),
      };
  }

  *#ofRoom(): Iterable<Occurrence> {
    const { room, traits } = this.#simulation;
    yield {
      label: 'room edits',
      weight: traits.roomEditWeight,
      happen: (choices) => room.edit(choices),
    };
    if (room.isEditing) {
      yield {
        label: 'room ends its transaction',
        weight: 1,
        happen: (choices) => room.finishTransaction(choices.percent(40)),
      };
    } else
      yield {
        label: 'room begins a transaction',
        weight: 0.06,
        happen: () => room.openTransaction(),
      };
    if (this.#simulation.has('hooks-depend')) {
      yield {
        label: 'room locks or unlocks',
        weight: 0.6,
        happen: (choices) => room.lock(choices.pick(['r', 's']), choices.percent(50)),
      };
    }
    yield { label: 'room is exported', weight: 0.06, happen: () => room.export() };
    if (room.exported !== undefined) {
      yield {
        label: 'room is restored',
        weight: 0.06,
        happen: () => room.restoreExported(),
      };
    }
    yield* this.#ofAlarms();
    if (!room.isIdle) return;
    yield { label: 'room sleeps', weight: 0.25, happen: () => room.hibernate() };
    const { gate, network, alarms } = this.#simulation;
    if (gate === undefined || !this.#simulation.has('slow-gate')) return;
    for (const wire of network.wires) {
      if (!gate.isIn(wire)) continue;
      yield {
        label: `room sleeps, and the grant of ${wire.label} is lost`,
        weight: 0.2,
        happen: () => {
          alarms?.changed();
          gate.lose(wire);
          room.hibernate();
        },
      };
    }
  }

  /** The app uses the alarm of its host. */
  *#ofAlarms(): Iterable<Occurrence> {
    const { room, alarms } = this.#simulation;
    if (alarms === undefined) return;
    yield {
      label: 'app sets its alarm',
      weight: 0.2,
      happen: (choices) => room.useAlarm((app) => alarms.set(app, choices)),
    };
    yield {
      label: 'app deletes its alarm',
      weight: 0.06,
      happen: () => room.useAlarm((app) => alarms.delete(app)),
    };
    yield {
      label: 'app asks for its alarm',
      weight: 0.2,
      happen: () => room.useAlarm((app) => alarms.ask(app)),
    };
  }

  *#ofRoomFaults(): Iterable<Occurrence> {
    const simulation = this.#simulation;
    const { room, disk, diskCopy, world } = simulation;
    yield { label: 'room is killed', weight: 0.15, happen: (choices) => room.kill(choices) };
    yield {
      label: 'disk is wiped',
      weight: 0.01,
      happen: (choices) => room.kill(choices, 'nothing'),
    };
    yield {
      label: 'disk begins to fail',
      weight: 0.08,
      happen: (choices) => disk.failWrites(1 + choices.below(2), choices.percent(50)),
    };
    yield {
      label: 'disk is copied',
      weight: 0.1,
      happen: () => {
        simulation.diskCopy = disk.copy();
      },
    };
    if (diskCopy !== undefined) {
      yield {
        label: 'disk is restored',
        weight: 0.06,
        happen: (choices: Choices) => {
          world.note(`    to version ${diskCopy.branch.version}`);
          room.kill(choices, { copy: diskCopy, epoch: simulation.randomId() });
        },
      };
      if (simulation.has('storage-set-back')) {
        yield {
          label: 'disk is set back',
          weight: 0.3,
          happen: (choices: Choices) => {
            world.note(`    to version ${diskCopy.branch.version}`);
            room.kill(choices, { copy: diskCopy });
          },
        };
      }
    }
    if (simulation.has('storage-emptied')) {
      yield { label: 'app empties storage', weight: 0.05, happen: () => room.emptyStorage() };
    }
  }

  /** Time passes of which nobody has noticed anything, or the room's clock is set. */
  *#ofClocks(): Iterable<Occurrence> {
    const { world, room, alarms } = this.#simulation;
    const { clock } = world;
    if (this.#simulation.has('days-pass')) {
      // Records are kept for thirty of them at least (ONCE-5).
      yield {
        label: 'a day passes',
        weight: this.#days < MOST_DAYS ? 0.1 : 0,
        happen: () => {
          this.#days += 1;
          clock.passTo(clock.now() + DAY_MILLISECONDS);
        },
      };
    }
    if (this.#simulation.has('clock-jumps')) {
      yield {
        label: "room's clock is set",
        weight: 0.1,
        happen: (choices) => {
          alarms?.changed();
          room.clockSkew = choices.pick([-24, -1, 0, 1, 24]) * HOUR_MILLISECONDS;
        },
      };
    }
  }

  /** The room's app closes sockets; some peers never answer that, and go on. */
  *#ofClosingApp(): Iterable<Occurrence> {
    const { network, room, alarms } = this.#simulation;
    for (const wire of network.wires) {
      if (wire.roomState !== 'open') continue;
      yield {
        label: `app closes ${wire.label}`,
        weight: 0.12,
        happen: (choices) => {
          wire.isDeaf = choices.percent(60);
          alarms?.changed();
          room.closeByApp(wire);
        },
      };
    }
  }

  /** Clients stop reading for a while. */
  *#ofReaders(): Iterable<Occurrence> {
    for (const wire of this.#simulation.network.wires) {
      if (wire.clientState !== 'open') continue;
      yield {
        label: `${wire.label} ${wire.isUnread ? 'reads again' : 'stops reading'}`,
        weight: wire.isUnread ? 0.1 : 0.08,
        happen: () => {
          wire.isUnread = !wire.isUnread;
        },
      };
    }
  }

  /** Tokens end, users are thrown out, and log in again. */
  *#ofTokens(): Iterable<Occurrence> {
    const { network, gate, clients, alarms } = this.#simulation;
    if (gate === undefined) return;
    for (const wire of network.wires) {
      if (!gate.isIn(wire) || !this.#simulation.has('tokens-end')) continue;
      yield {
        label: `token of ${wire.label} ends`,
        weight: 0.2,
        happen: () => {
          alarms?.changed();
          gate.end(wire);
        },
      };
      yield {
        label: `${wire.label} is thrown out`,
        weight: 0.06,
        happen: () => {
          alarms?.changed();
          gate.throwOut(wire);
        },
      };
    }
    for (const client of clients) {
      if (client.isThrownOut)
        yield { label: `${client.name} logs in`, weight: 0.5, happen: () => client.logIn() };
    }
  }

  /** Somebody uses the client ids of others. */
  *#ofThief(): Iterable<Occurrence> {
    const { network, room, thief, unique } = this.#simulation;
    if (thief === undefined || !room.hasStore) return;
    for (const wire of network.wires) {
      if (wire === thief.wire || wire.heardHellos.size === 0) continue;
      yield {
        label: `thief is ${wire.label}`,
        weight: 0.2,
        happen: () => thief.steal(wire, unique),
      };
    }
  }

  *#ofStockPeers(): Iterable<Occurrence> {
    const { stockPeers, unique } = this.#simulation;
    for (const peer of stockPeers) {
      yield {
        label: `${peer.name} edits`,
        weight: 0.7,
        happen: (choices) => peer.edit(choices, unique),
      };
    }
  }
}
