/** A Cell of the table that everybody edits. */
export type Cell = string | number;

/** A client of a contender: it shows a table `rows`, and sets Cells of it. */
export interface RaceClient {
  /** Sets one Cell, as a transaction of its own. */
  set(row: string, cell: string, value: Cell): void;
  get(row: string, cell: string): Cell | undefined;
  /** The number of rows that it shows. */
  rowCount(): number;
  /** Calls back after each change of what it shows; a later callback replaces the earlier one. */
  onChange(callback: () => void): void;
  /** Resolves when it is connected, so that what others do from now on comes. */
  connected(): Promise<void>;
  /** Cuts the connection, until `comeBack`. Left out if it never catches up. */
  leave?(): Promise<void>;
  comeBack?(): void;
  close(): Promise<void>;
}

/** A participant of the race: this package, a floor or a peer. */
export interface Contender {
  readonly name: string;
  /** A description for readers of its figures: the way in which it is run. */
  readonly note: string;
  /** Starts its server; ends with `stop`. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Starts the server again on the same data. Left out if it keeps nothing on disk. */
  restart?(): Promise<void>;
  /** Resolves to the number of bytes of a plain GET of the content. Left out if there is none. */
  get?(room: string): Promise<number>;
  /** The memory of its server and the processes around it, in MiB. */
  memory(): number;
  /** Makes a room with so many Cells. Resolves to its first client, when the server has everything. */
  create(room: string, cells: number): Promise<RaceClient>;
  /** Resolves to a further client as soon as it shows everything. */
  join(room: string, cells: number): Promise<RaceClient>;
}

const PATIENCE_MILLISECONDS = 60_000;

/** Resolves when a client shows what it should. Rejects if that never comes. */
export function until(client: RaceClient, isDone: () => boolean, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const ignore = (): void => undefined;
    if (isDone()) {
      resolve();
      return;
    }
    const timer = setTimeout(() => {
      client.onChange(ignore);
      reject(new Error(`Wrong result: ${what} never came.`));
    }, PATIENCE_MILLISECONDS);
    client.onChange(() => {
      if (!isDone()) return;
      clearTimeout(timer);
      client.onChange(ignore);
      resolve();
    });
  });
}
