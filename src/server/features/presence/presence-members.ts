/** A connection id that has joined, with the sockets that share it (`PRES-3`). */
export interface PresenceMember<Connection> {
  readonly id: string;
  readonly userId: string | undefined;
  /** The open sockets, each with the JSON of the last row that came over it; undefined after a sleep. */
  readonly lastRows: Map<Connection, string | undefined>;
}

/** The connections that have joined. */
export class PresenceMembers<Connection> {
  readonly #byId = new Map<string, PresenceMember<Connection>>();
  readonly #byConnection = new Map<Connection, PresenceMember<Connection>>();

  /** All sockets that have joined. */
  connections(): readonly Connection[] {
    return [...this.#byConnection.keys()];
  }

  of(connection: Connection): PresenceMember<Connection> | undefined {
    return this.#byConnection.get(connection);
  }

  withId(id: string): PresenceMember<Connection> | undefined {
    return this.#byId.get(id);
  }

  hasUser(userId: string): boolean {
    for (const member of this.#byId.values()) if (member.userId === userId) return true;
    return false;
  }

  add(
    id: string,
    userId: string | undefined,
    connection: Connection,
    lastRow: string | undefined,
  ): PresenceMember<Connection> {
    const member = this.#byId.get(id) ?? { id, userId, lastRows: new Map() };
    this.#byId.set(id, member);
    this.#byConnection.set(connection, member);
    member.lastRows.set(connection, lastRow);
    return member;
  }

  /** Removes a socket. Returns its member if this was the member's last socket. */
  remove(connection: Connection): PresenceMember<Connection> | undefined {
    const member = this.#byConnection.get(connection);
    this.#byConnection.delete(connection);
    if (member === undefined) return undefined;
    member.lastRows.delete(connection);
    if (member.lastRows.size > 0) return undefined;
    this.#byId.delete(member.id);
    return member;
  }
}
