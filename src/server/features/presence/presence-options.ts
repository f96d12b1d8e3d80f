import type { StandardSchema } from '../../../protocol/standard-schema.ts';

/** The user of a connection, for everybody to see. Its members become Cells: undefined ones are left out. */
export interface PresenceUser {
  /** The row id in the table `users`. */
  readonly id: string;
}

/** The options of `createPresence` in a room. */
export interface PresenceOptions<Connection, Input, Output> {
  /**
   * Describes the cells that a client may set: a schema of zod, valibot, arktype, or any other Standard Schema. It gets
   * the whole row and has to answer at once (no async checks). Its output becomes the row. Without a schema, a row may
   * have any cells.
   */
  readonly schema?: StandardSchema<Input, Output>;
  /** Returns the user of a connection; undefined if it has none. **Everybody in the room sees all of it.** */
  readonly user?: (connection: Connection) => PresenceUser | undefined;
  /**
   * The limit of a row, in bytes of JSON. 512 by default. The host attaches the row to the connection, and PartyKit
   * attaches 2,048 bytes in all.
   */
  readonly rowBytes?: number;
  /** The time after which a silent connection has to answer if somebody asks. 90,000 by default; persisters ping every 25 s. */
  readonly silenceMilliseconds?: number;
  /** The time in which such a connection has to answer. 10,000 by default. */
  readonly answerMilliseconds?: number;
}
