/** The part of a party that shows connections to the app. */
interface ConnectionLister<Connection> {
  getConnections(tag?: string): Iterable<Connection>;
}

type Message = string | ArrayBuffer | ArrayBufferView;

/**
 * Hides connections that a gate has not let in from the app: `getConnections`, `getConnection` and `broadcast` of its party
 * leave them out. Returns a function that gives all connections.
 */
export function guardParty<Connection extends { send(message: Message): void }>(
  party: ConnectionLister<Connection>,
  isShown: (connection: Connection) => boolean,
): () => Iterable<Connection> {
  const all = party.getConnections.bind(party);
  const shown = (tag?: string): Connection[] => [...all(tag)].filter(isShown);
  const withId = (id: string): Connection | undefined =>
    shown().find((connection) => idOf(connection) === id);
  const broadcast = (message: Message, without: readonly string[] = []): void => {
    for (const connection of shown()) {
      if (without.some((id) => id === idOf(connection))) continue;
      try {
        connection.send(message);
      } catch {
        // It is closing.
      }
    }
  };
  for (const [name, value] of [
    ['getConnections', shown],
    ['getConnection', withId],
    ['broadcast', broadcast],
  ] as const) {
    Object.defineProperty(party, name, { value, configurable: true, writable: true });
  }
  return () => all();
}

function idOf(connection: object): unknown {
  return Reflect.get(connection, 'id');
}
