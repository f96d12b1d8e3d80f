import type { Connection } from 'partykit/server';
import { TinyBasePartyKitServer } from 'tinybase-partykit/server';
import { createAuth, defineAuth } from 'tinybase-partykit/server/auth';
import { createPresence, type Presence } from 'tinybase-partykit/server/presence';
import { z } from 'zod';

const point = z.object({ x: z.number(), label: z.string().optional() });
const users = defineAuth({
  secret: (env) => env['AUTH_SECRET'],
  user: z.object({ id: z.string(), name: z.string() }),
});

/** The types flow from the options, and the user from another field of the room. */
export class Inferred extends TinyBasePartyKitServer {
  auth = createAuth(this, users);
  presence = createPresence(this, {
    schema: point,
    user: (connection) => this.auth.getUser(connection),
  });
  other = 1;
  optional?: string;

  override async canDelRow(_table: string, _row: string, connection: Connection): Promise<boolean> {
    return this.presence.getStore().hasRow('connections', connection.id);
  }
}

/** The types are annotated, as `isolatedDeclarations` asks. */
export class Annotated extends TinyBasePartyKitServer {
  readonly cursors: Presence<{ x: number; label?: string }> = createPresence(this, {
    schema: point,
  });
}

/** Without a schema, cells are whatever a Cell can be. */
export class Plain extends TinyBasePartyKitServer {
  presence = createPresence(this);
}

export class Wrong extends TinyBasePartyKitServer {
  // @ts-expect-error A user has an id.
  presence = createPresence(this, { user: () => ({ name: 'Ada' }) });
  // @ts-expect-error There is no such option.
  other = createPresence(this, { schemas: point });
}
