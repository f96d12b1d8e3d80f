import { encodeFrame, readFrame } from '../../src/protocol/frame.ts';
import * as fromRoom from '../../src/protocol/events/event-from-room.ts';
import type { Leaf } from '../../src/protocol/leaf.ts';
import type { LeafMap } from '../../src/protocol/leaf-map.ts';
import { TinyBasePartyKitError } from '../../src/protocol/errors.ts';
import type { StandardSchema } from '../../src/protocol/standard-schema.ts';
import { createClientEvents } from '../../src/client/features/events/client-events.ts';
import type { Events } from '../../src/client/features/events/events.ts';
import type { ChannelListener } from '../../src/client/platform/channel.ts';
import { createEvents, procedure } from '../../src/server/features/events/index.ts';
import type { Room } from '../../src/server/room/room.ts';
import type { Wire } from './network.ts';
import { PropertyFailure, type Occurrence, type Source, type World } from './world.ts';

/** A call, as its client sends it. */
interface Asked {
  /** The note that the call writes, of its own. */
  readonly note: string;
  /** The number of the last push that went out on the same socket before, since its last hello; 0 for none. */
  readonly push: number;
}

/** The data of a call's result. If it is an event, everybody gets it too. */
interface Told extends Asked {
  /** True if the note was in the Store when the call ended. */
  readonly isThere: boolean;
}

/** The table that calls write notes in, and nobody else. */
const NOTES = 'notes';
const CELL = 'is';

const ANY_INPUT: StandardSchema<Asked> = {
  '~standard': { version: 1, vendor: 'model', validate: (value) => ({ value: value as Asked }) },
};

/** Errors that no call ends with here. */
const IMPOSSIBLE: ReadonlySet<unknown> = new Set(['malformed', 'not-found', 'failed', 'too-large']);

/** The procedures of a room, and what must hold of the calls of its clients. */
export class SimCalls implements Source {
  readonly #world: World;
  readonly #prefix: string;
  /** True: the room may never have had a push that its client sent before a call. */
  readonly #isLeaky: boolean;
  readonly #isFlooded: boolean;
  /** True if a connection that does not read soon misses events (FLOOD-7). */
  readonly #isTight: boolean;
  /** The number of times that each call was run. */
  readonly #runs = new Map<string, number>();
  /** The notes that each socket was told of by an event. */
  readonly #heard = new WeakMap<Wire, Set<string>>();
  /** The notes that were made before the room was wiped or restored. */
  readonly #before = new Set<string>();
  /** The slow procedures that go on when the world says so. */
  #slow: (() => void)[] = [];
  #count = 0;

  constructor(
    world: World,
    prefix: string,
    isLeaky: boolean,
    isFlooded: boolean,
    isTight: boolean,
  ) {
    this.#world = world;
    this.#prefix = prefix;
    this.#isLeaky = isLeaky;
    this.#isFlooded = isFlooded;
    this.#isTight = isTight;
  }

  *occurrences(): Iterable<Occurrence> {
    if (this.#slow.length === 0) return;
    yield {
      label: 'a procedure goes on',
      weight: 2,
      happen: (choices) => this.#slow.splice(choices.below(this.#slow.length), 1)[0]?.(),
    };
  }

  /** Gives a room its procedures. `mayRollBack` is true while the room's own code has a transaction open. */
  attach(room: Room<Wire, never>, mayRollBack: () => boolean): void {
    const write = ({ note, push }: Asked): Told => {
      this.#countRun(note);
      const { store } = room;
      try {
        if (!mayRollBack()) store.setCell(NOTES, note, CELL, true);
      } catch {
        // A listener of the Store throws at whoever writes.
      }
      return { note, push, isThere: store.hasCell(NOTES, note, CELL) };
    };
    createEvents(room as never, {
      write: procedure.input(ANY_INPUT).handle((asked: Asked) => {
        const told = write(asked);
        return { broadcast: { noted: told }, result: told };
      }),
      writeSlowly: procedure.input(ANY_INPUT).handle(async (asked: Asked) => {
        const told = write(asked);
        await new Promise<void>((resolve) => this.#slow.push(resolve));
        return { broadcast: { noted: told }, result: told };
      }),
    });
  }

  /** The room's process has ended. */
  forget(): void {
    this.#slow = [];
  }

  /** Somebody wipes or restores the room. */
  beganAnew(): void {
    for (const note of this.#runs.keys()) this.#before.add(note);
  }

  /** The next note. */
  nextNote(): string {
    return `note${(this.#count += 1)}`;
  }

  /** Checks a frame as the room sends it: nobody hears of a note that is not on disk, or that he cannot have. */
  checkSent(
    wire: Wire,
    frame: string,
    stored: LeafMap<Leaf> | undefined,
    contentOf: (version: number) => LeafMap<Leaf> | undefined,
  ): void {
    const read = readFrame(this.#prefix, frame);
    if (read?.letter !== fromRoom.letter) return;
    const message = fromRoom.decode(read.json);
    if (message.type === 'failure') return;
    const told = (message.type === 'event' ? message.data : message.result) as Told;
    const { note, push, isThere } = told;
    // A connection that does not follow hears of its push by the welcome to its next hello (FLOOD-7).
    const follows = wire.told !== undefined;
    if (message.type === 'result' && follows && !this.#isLeaky && push > wire.answeredPush) {
      const what = `${wire.label} is answered to a call behind push ${push}`;
      throw new PropertyFailure('calls', `${what}, which is not answered`);
    }
    this.#checkHeard(wire, message.type, note);
    if (!isThere) return;
    if (stored?.has(NOTES, note, CELL) !== true) {
      // What a call had done before somebody wiped or restored the room is gone (EVENT-2).
      if (this.#before.has(note)) return;
      const what = `${wire.label} is told of ${note}, which is not on disk`;
      throw new PropertyFailure('durable', what);
    }
    // One that sends too much, as who uses several client ids, is not told each time that it has lost its place (FLOOD-1).
    if (this.#isFlooded || wire.heardHellos.size > 1) return;
    if (wire.told === undefined || contentOf(wire.told)?.has(NOTES, note, CELL) === true) return;
    throw new PropertyFailure(
      'one order',
      `${wire.label} is told of ${note} before the commit that made it`,
    );
  }

  /** Everybody hears of a note by its event, and who has made it by that and then by the result (EVENT-7). */
  #checkHeard(wire: Wire, type: 'event' | 'result', note: string): void {
    const heard = this.#heard.get(wire) ?? new Set();
    this.#heard.set(wire, heard);
    if (type === 'event') heard.add(note);
    else if (!this.#isTight && !heard.has(note))
      throw new PropertyFailure('calls', `${wire.label} has ${note}, and heard of no event`);
  }

  #countRun(note: string): void {
    const runs = (this.#runs.get(note) ?? 0) + 1;
    this.#runs.set(note, runs);
    if (runs > 1) this.#world.fail(new PropertyFailure('calls', `the call for ${note} ran twice`));
  }
}

/** The end of a socket that calls go out on. */
export interface CallSocket {
  readonly name: string;
  isOpen(): boolean;
  send(frame: string): void;
  after(milliseconds: number, callback: () => void): () => void;
}

/** The calls of one tab, by the real client. */
export class ClientCalls {
  /** The calls that have not ended. */
  underWay = 0;
  readonly #events: Events<unknown>;
  readonly #prefix: string;
  readonly #world: World;
  readonly #name: string;
  #listener: ChannelListener | undefined;

  constructor(socket: CallSocket, world: World, prefix: string) {
    this.#world = world;
    this.#prefix = prefix;
    this.#name = socket.name;
    this.#events = createClientEvents<unknown>(
      {
        open: (listener) => {
          this.#listener = listener;
          return {
            isOpen: () => socket.isOpen(),
            send: (json) => {
              const isOpen = socket.isOpen();
              if (isOpen) socket.send(encodeFrame(prefix, fromRoom.letter, json));
              return isOpen;
            },
            close: () => undefined,
          };
        },
        takeAnotherId: () => undefined,
        after: (milliseconds, callback) => socket.after(milliseconds, callback),
      },
      // By default, the console would be full of them.
      { onIgnoredError: () => undefined },
    );
  }

  call(name: 'write' | 'writeSlowly', asked: Asked): void {
    const call = this.#events.call as unknown as (name: string, input: Asked) => Promise<Told>;
    this.underWay += 1;
    call(name, asked).then(
      ({ note }) => {
        this.underWay -= 1;
        this.#world.note(`    ${this.#name} has ${note}`);
        if (note === asked.note) return;
        this.#world.fail(new PropertyFailure('calls', `${asked.note} is answered with ${note}`));
      },
      (error: unknown) => {
        this.underWay -= 1;
        const code = error instanceof TinyBasePartyKitError ? error.code : 'none';
        this.#world.note(`    ${this.#name} has no ${asked.note}: ${code}`);
        if (code !== 'none' && !IMPOSSIBLE.has(code)) return;
        this.#world.fail(new PropertyFailure('calls', `${asked.note} ended with ${String(error)}`));
      },
    );
  }

  opened(): void {
    this.#listener?.onOpen?.();
  }

  closed(): void {
    this.#listener?.onClose?.();
  }

  received(frame: string): void {
    const read = readFrame(this.#prefix, frame);
    if (read?.letter === fromRoom.letter) this.#listener?.onFrame(read.json);
  }
}
