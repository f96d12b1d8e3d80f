/** The part of a party that shows connections to the app. */
interface ConnectionLister<Connection> {
  getConnections(tag?: string): Iterable<Connection>;
}

type Message = string | ArrayBuffer | ArrayBufferView;

/** Keeps connections that a gate has not let in from the app, which reaches them through its party. */
export class PartyGuard<Connection extends { send(message: Message): void }> {
  readonly #party: ConnectionLister<Connection>;
  #getConnections: ((tag?: string) => Iterable<Connection>) | undefined;

  constructor(party: ConnectionLister<Connection>) {
    this.#party = party;
  }

  /** Returns all connections, whoever they are. */
  allConnections(tag?: string): Iterable<Connection> {
    return this.#getConnections?.(tag) ?? this.#party.getConnections(tag);
  }

  /** Makes `getConnections`, `getConnection` and `broadcast` of the party leave out everybody else. */
  showOnly(isShown: (connection: Connection) => boolean): void {
    this.#getConnections = this.#party.getConnections.bind(this.#party);
    const shown = (tag?: string): Connection[] =>
      [...this.allConnections(tag)].filter((connection) => isShown(connection));
    const withId = (id: string): Connection | undefined =>
      shown().find((connection) => idOf(connection) === id);
    const broadcast = (message: Message, without: readonly string[] = []): void => {
      for (const connection of shown()) {
        const id = idOf(connection);
        if (typeof id === 'string' && without.includes(id)) continue;
        try {
          connection.send(message);
        } catch {
          // It is closing.
        }
      }
    };
    this.#replace('getConnections', shown);
    this.#replace('getConnection', withId);
    this.#replace('broadcast', broadcast);
  }

  #replace(name: string, value: unknown): void {
    Object.defineProperty(this.#party, name, { value, configurable: true, writable: true });
  }
}

function idOf(connection: unknown): unknown {
  return typeof connection === 'object' && connection !== null
    ? Reflect.get(connection, 'id')
    : undefined;
}
