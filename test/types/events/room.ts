import type { Connection } from 'partykit/server';
import { TinyBasePartyKitError, TinyBasePartyKitServer } from 'tinybase-partykit/server';
import { createAdmin } from 'tinybase-partykit/server/admin';
import { createAuth, defineAuth } from 'tinybase-partykit/server/auth';
import {
  createEvents,
  event,
  procedure,
  type EventDeclaration,
  type Procedure,
  type RoomEvents,
} from 'tinybase-partykit/server/events';
import { createPresence } from 'tinybase-partykit/server/presence';
import { z } from 'zod';

const users = defineAuth({
  secret: (env) => env['AUTH_SECRET'],
  user: z.object({ id: z.string(), name: z.string() }),
});

const moderation = {
  warn: procedure
    .input(z.object({ id: z.string() }))
    .handle(({ id }) => ({ self: { warned: { id } } })),
};

/** The types flow from the declarations, and use other fields of the room. */
export class Inferred extends TinyBasePartyKitServer {
  auth = createAuth(this, users);
  presence = createPresence(this, { user: (connection) => this.auth.getUser(connection) });
  events = createEvents(
    this,
    {
      ...moderation,
      wave: procedure.broadcast((_none, caller) => ({
        waved: { by: this.auth.getUser(caller).name },
      })),
      doubleValue: procedure
        .input(z.object({ value: z.number() }))
        .self(({ value }) => ({ doubled: { value: value * 2 } })),
      addNote: procedure
        .input(z.object({ text: z.string().max(280), count: z.number().default(1) }))
        .handle(({ text, count }) => {
          const id: string = crypto.randomUUID();
          this.store.setRow('notes', id, { text, count });
          return { broadcast: { noteAdded: { id } }, result: id };
        }),
      search: procedure.input(z.string()).handle(async (text) => {
        await Promise.resolve();
        if (text === '') return { result: { ok: false, reason: 'empty' } as const };
        return { result: { ok: true, found: [text] } as const };
      }),
      take: procedure.input(z.string()).handle((text) => {
        if (text === '') return { result: { ok: false, reason: 'empty' } as const };
        return { result: { ok: true, count: 1 } as const, broadcast: { taken: { text } } };
      }),
      rate: procedure.input(z.number()).handle((stars) => {
        if (stars < 0) return { result: { ok: false, reason: 'negative' } as const };
        return { result: { ok: true, stars } as const };
      }),
      toss: procedure
        .input(z.boolean())
        .handle((isHeads) => (isHeads ? { self: { heads: 1 } } : { broadcast: { tails: 'yes' } })),
      skip: procedure.input(z.string()).handle(async (text) => {
        if (text === '') return;
        return { result: text.length, broadcast: { skipped: { text } } };
      }),
      clear: procedure.handle(() => {
        this.store.delTables();
      }),
      kick: procedure.input(z.string().optional()).handle((_id, caller: Connection) => {
        caller.close(4000);
        if (caller.id === '') throw new TinyBasePartyKitError('forbidden', 'No.');
        return { broadcast: { kicked: { id: caller.id }, left: null } };
      }),
      announced: event<{ text: string }>(),
      reload: event(),
    },
    { timeoutMilliseconds: 5_000 },
  );
  admin = createAdmin(this, { secret: (env) => env['ADMIN_SECRET'], events: this.events });
  other = 1;
  optional?: string;

  onStart(): void {
    this.events.broadcast('announced', { text: 'Hello' });
    this.events.broadcast.announced({ text: 'Hello' });
    this.events.broadcast.reload();
    this.events.broadcast.noteAdded({ id: 'one' });
    this.events.to((connection) => connection.uri === '').reload();
    this.events.to(({ id }) => id !== '')('waved', { by: 'the room' });
    // @ts-expect-error There is no such event.
    this.events.broadcast.anounced({ text: 'Hello' });
    // @ts-expect-error A procedure is not an event.
    this.events.broadcast.addNote({ text: 'Hello' });
    // @ts-expect-error The data is missing.
    this.events.broadcast.announced();
    // @ts-expect-error The data has another type.
    this.events.broadcast('announced', { text: 1 });
    // @ts-expect-error The data is that of another event.
    this.events.broadcast('announced', { id: 'one' });
  }

  onConnect(connection: Connection): void {
    this.events.send(connection, 'announced', { text: 'Welcome' });
    this.events.send(connection, 'reload');
    // @ts-expect-error There is no such event.
    this.events.send(connection, 'nothing');
  }
}

/** The contract is an interface, as `isolatedDeclarations` asks. */
export interface BoardEvents {
  readonly addNote: Procedure<
    { text: string },
    { result: string; broadcast: { noteAdded: { id: string } } }
  >;
  readonly wave: Procedure<undefined, { broadcast: { waved: { by: string } } }>;
  readonly ask: Procedure<string, { result?: number | undefined; self?: { asked: string } }>;
  readonly announced: EventDeclaration<{ text: string }>;
}

export class Annotated extends TinyBasePartyKitServer {
  readonly talk: RoomEvents<BoardEvents> = createEvents(this, {
    addNote: procedure.input(z.object({ text: z.string() })).handle(({ text }) => {
      this.store.setRow('notes', text, { text });
      return { broadcast: { noteAdded: { id: text } }, result: text };
    }),
    wave: procedure.broadcast((_none, caller) => ({ waved: { by: caller.id } })),
    ask: procedure.input(z.string()).handle((text) => {
      this.talk.broadcast.announced({ text });
      this.talk.to(({ id }) => id === text).waved({ by: text });
      return { result: text.length, self: { asked: text } };
    }),
    announced: event<{ text: string }>(),
  });
}

const declared: BoardEvents = {
  addNote: procedure
    .input(z.object({ text: z.string() }))
    .handle(({ text }) => ({ broadcast: { noteAdded: { id: text } }, result: text })),
  wave: procedure.broadcast((_none, caller: Connection) => ({ waved: { by: caller.uri } })),
  ask: procedure.input(z.string()).handle(async () => ({})),
  announced: event<{ text: string }>(),
};

export class Declared extends TinyBasePartyKitServer {
  readonly events: RoomEvents<BoardEvents> = createEvents(this, declared);
}

export class Without extends TinyBasePartyKitServer {}

export class Wrong extends TinyBasePartyKitServer {
  // @ts-expect-error The result is not what the contract says.
  readonly one: RoomEvents<{ ask: Procedure<string, { result: number }> }> = createEvents(this, {
    ask: procedure.input(z.string()).handle((text) => ({ result: text })),
  });
  // @ts-expect-error The input is not what the contract says.
  readonly two: RoomEvents<{ ask: Procedure<string, { result: number }> }> = createEvents(this, {
    ask: procedure.input(z.object({ must: z.number() })).handle(({ must }) => ({ result: must })),
  });
  // @ts-expect-error A procedure is missing.
  readonly three: RoomEvents<BoardEvents> = createEvents(this, {
    announced: event<{ text: string }>(),
  });
  // @ts-expect-error A builder is no procedure: it has no end.
  readonly four = createEvents(this, { ask: procedure.input(z.string()) });
  // @ts-expect-error There is no such option.
  readonly five = createEvents(this, {}, { timeout: 1 });
  readonly six = createEvents(this, {
    // @ts-expect-error An outcome has no such member.
    ask: procedure.handle(() => ({ result: 1, brodcast: { asked: 1 } })),
  });
  readonly eight = createEvents(this, {
    // @ts-expect-error An outcome has no such member, nor has one of two.
    ask: procedure.input(z.string()).handle((text) => {
      if (text === '') return { result: 1 };
      return { result: 2, brodcast: { asked: 1 } };
    }),
    // @ts-expect-error The result of a procedure stands in its object.
    tell: procedure.handle(() => 1),
  });
  readonly nine = createEvents(this, {
    // @ts-expect-error An outcome has no such member, nor has that of a promise.
    ask: procedure.handle(async () => ({ result: 1, brodcast: { asked: 1 } })),
  });
  readonly seven = createEvents(this, {
    // @ts-expect-error There is no input.
    ask: procedure.handle(({ text }) => ({ result: text })),
  });
}
