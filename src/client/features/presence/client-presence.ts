import type { Store } from 'tinybase';

import { ALL_ROWS, type Changes } from '../../../protocol/changes.ts';
import { TinyBasePartyKitError } from '../../../protocol/errors.ts';
import type { Leaf, StoreLeaf } from '../../../protocol/leaf.ts';
import type { Cells as CellMap } from '../../../protocol/leaf-map.ts';
import { isPlain, notGot } from '../../../protocol/option-kinds.ts';
import { paced } from '../../../protocol/pace.ts';
import {
  CHECK,
  encodePresenceCells,
  LEAVE,
} from '../../../protocol/presence/presence-from-client.ts';
import {
  decode,
  type PresenceCorrection,
  type PresenceFromRoom,
} from '../../../protocol/presence/presence-from-room.ts';
import { CONNECTIONS, USER, USERS } from '../../../protocol/presence/presence-tables.ts';
import { readLeaf, writeLeaf } from '../../../protocol/store-access.ts';
import { ANOTHER_ID_MILLISECONDS } from '../../platform/another-id.ts';
import type { Channel, ChannelListener } from '../../platform/channel.ts';
import { reportLater } from '../../platform/report-later.ts';
import type { Presence, PresenceOptions } from './presence.ts';

/** A presence that may have been replaced. */
interface ClientPresence<Cells> extends Presence<Cells> {
  /** `isLast` tells if no other presence had the Store since: then one that was replaced empties it, too. */
  destroy(isLast?: boolean): void;
}

/** Everything that presence takes from outside. */
export interface PresencePort {
  /** Returns the id of the connection. */
  readonly id: () => string;
  readonly open: (listener: ChannelListener) => Channel;
  /** Closes the socket, and opens it again. */
  readonly reconnect: () => void;
  /** Gives the socket another id, closes it, and opens it again. */
  readonly takeAnotherId: () => void;
  /** Calls back once, later; returns a function that prevents it. */
  readonly after: (milliseconds: number, callback: () => void) => () => void;
  /** Returns a number from 0 up to 1. */
  readonly random: () => number;
}

/** A row is sent at most once in this time (`PRES-5`). */
const PACE_MILLISECONDS = 33;
/** The time that the room has to answer a check. */
const ANSWER_MILLISECONDS = 15_000;
/** The time before a row is sent again that the room had no time for. */
const RETRY_MILLISECONDS = ANOTHER_ID_MILLISECONDS;

/** The most characters of a row as JSON: PartyKit closes a connection with a message of more than 1 MiB. */
const LONGEST_ROW = 2 ** 18;
const LONG_MESSAGE =
  'The row of presence has over 262,144 characters, so it went back to the one before: set less.';

type State =
  /** There is no connection. */
  | 'closed'
  /** The room has no time for presence now, or somebody else has the id. */
  | 'waiting'
  /** The row has to be sent, as a join. */
  | 'open'
  /** The row was sent. The client sends nothing else until the picture arrives. */
  | 'joining'
  | 'joined'
  /** It was destroyed, or replaced. */
  | 'ended';

/** Throws unless these are cells that a client may set. */
export function assertCells(cells: unknown): void {
  if (!isPlain(cells)) throw notGot('presence.set', 'object with cells');
  if (USER in cells)
    throw new TinyBasePartyKitError('malformed', 'The room writes the cell "user": use another.');
}

/** Keeps a presence Store equal to a room's, and sends the own row to the room: `PRES-1` to `PRES-10`. */
export function createClientPresence<Cells>(
  store: Store,
  { id, open, reconnect, takeAnotherId, after, random }: PresencePort,
  {
    initial = {},
    onIgnoredError,
    lingerMilliseconds = 5_000,
    checkMilliseconds = 60_000,
  }: PresenceOptions<Cells>,
): ClientPresence<Cells> {
  let ownId = id();
  let state: State = 'closed';
  /** The cells of the own row as the app set them. The Store shows the room's version of them. */
  const input = new Map<string, Leaf | undefined>();
  /** The cells that `set` has set in the transaction that runs. */
  const touched = new Set<string>();
  /** The row that the room got last, and its JSON. */
  let sent: CellMap<Leaf | undefined> = new Map();
  let sentJson: string;
  /** True if the app has set a cell since. */
  let isDirty = false;
  let isApplying = false;
  let isInvalidTold = false;
  /** The cell of the own row that is the room's. */
  let user: Leaf | undefined;
  /** The rows of others that the room has told, whatever the app has made of them in the Store. */
  const others = new Set<string>();
  let endLinger: (() => void) | undefined;
  let endCheck: (() => void) | undefined;

  const report = reportLater(onIgnoredError);

  /** Runs a transaction: later, while listeners of another one run, because the Store takes none then. */
  const run = (actions: () => void): void => {
    let hasRun = false;
    store.transaction(() => {
      hasRun = true;
      actions();
    });
    if (!hasRun) queueMicrotask(() => transact(actions));
  };

  /** Changes the Store, and reports errors of the app's listeners. */
  const transact = (actions: () => void): void => {
    isApplying = true;
    try {
      run(actions);
    } catch (error) {
      report(error);
    }
    isApplying = false;
  };

  const isOwn = (table: string | null, row: string): boolean =>
    table === CONNECTIONS && row === ownId;

  const write = (leaf: Leaf | undefined, cell: string): void =>
    writeLeaf(store, CONNECTIONS, ownId, cell, leaf);

  const writeUser = (leaf: Leaf | undefined): void => write((user = leaf), USER);

  const setInput = (cell: string, leaf: Leaf | undefined): void => {
    if (leaf === undefined) input.delete(cell);
    else input.set(cell, leaf);
  };

  const edit = (cell: string): void => {
    // The room's cell goes back, unless the Store shows another presence by then.
    if (cell === USER)
      return transact(() => {
        if (state !== 'ended') writeUser(user);
      });
    setInput(cell, readLeaf(store, CONNECTIONS, ownId, cell));
    isDirty = true;
  };

  /**
   * Goes back to the row before, from one that no host takes: it would close the connection, again and again. Returns false if a
   * listener of the Store has ended the presence.
   */
  const keepBackLong = (before: typeof sent): boolean => {
    const cells = new Set([...input.keys(), ...before.keys()]);
    cells.forEach((cell) => setInput(cell, before.get(cell)));
    // Later, perhaps: the app may have set others by then, or have ended it.
    transact(() => {
      if (state !== 'ended') cells.forEach((cell) => write(input.get(cell), cell));
    });
    report(new TinyBasePartyKitError('too-large', LONG_MESSAGE));
    return state !== 'ended';
  };

  const sendSoon = paced(after, () => {
    if (state === 'open') state = 'joining';
    else if (state !== 'joined' || !isDirty || !others.size) return 0;
    isDirty = false;
    let json = encodePresenceCells(input);
    if (json.length > LONGEST_ROW) {
      if (!keepBackLong(sent)) return 0;
      json = encodePresenceCells(input);
    }
    sent = new Map(input);
    channel.send((sentJson = json));
    return PACE_MILLISECONDS;
  });

  const join = (): void => {
    // A listener of the Store may have ended it just now.
    if (state === 'ended') return;
    state = 'open';
    sendSoon();
  };

  /** Deletes a row; in the own row, only the room's cell. */
  const deleteRow = (table: string, row: string): void => {
    if (isOwn(table, row)) return writeUser(undefined);
    if (table === CONNECTIONS) others.delete(row);
    store.delRow(table, row);
  };

  const apply = ({ deletedRows, leaves }: Changes): void => {
    if (state === 'joining') {
      state = 'joined';
      stopLinger();
    }
    let isHere = true;
    transact(() => {
      for (const [table, rows] of deletedRows) {
        if (rows === ALL_ROWS && table === CONNECTIONS) others.clear();
        for (const row of rows === ALL_ROWS ? store.getRowIds(table) : rows) deleteRow(table, row);
        if (table === CONNECTIONS && (rows === ALL_ROWS || rows.has(ownId))) isHere = false;
      }
      leaves.forEach((leaf, table, row, cell) => {
        if (!isOwn(table, row)) {
          if (table === CONNECTIONS) others.add(row);
          writeLeaf(store, table, row, cell, leaf);
        } else {
          isHere = true;
          // The room has a null where a row would have no Cell.
          if (cell === USER && leaf !== null) writeUser(leaf);
        }
      });
    });
    if (isHere || state !== 'joined') sendSoon();
    else join();
  };

  /** Shows the room's version of the own row, except for cells that the app has set since (`PRES-7`). */
  const correct = ({ own, of = sentJson, error }: PresenceCorrection): void => {
    if (own && of === sentJson) {
      const shown = own.leaves.cells(CONNECTIONS, ownId);
      transact(() => {
        for (const cell of [...store.getCellIds(CONNECTIONS, ownId), ...shown.keys()]) {
          if (cell === USER || input.get(cell) !== sent.get(cell)) continue;
          write(shown.get(cell), cell);
          if (error) setInput(cell, shown.get(cell));
        }
        if (error) sent = shown;
      });
    }
    // The room asks if anybody is there.
    if (!own && !error) join();
    if (error) {
      report(new TinyBasePartyKitError(error.code, error.message));
      const isTaken = error.code === 'forbidden';
      if (state !== 'ended' && (isTaken || error.code === 'overloaded')) {
        state = 'waiting';
        endCheck?.();
        endCheck = after(RETRY_MILLISECONDS, isTaken ? takeAnotherId : join);
      }
    }
  };

  /** Asks the room after a long time without news from it (`PRES-10`). */
  const waitToCheck = (): void => {
    if (state === 'waiting' || state === 'ended') return;
    endCheck?.();
    if (!others.size) return;
    endCheck = after(checkMilliseconds * (1 + random() / 2), () => {
      channel.send(CHECK);
      endCheck = after(ANSWER_MILLISECONDS, reconnect);
    });
  };

  const pause = (): void => {
    state = 'closed';
    endCheck?.();
  };

  const stopLinger = (): void => {
    endLinger?.();
    endLinger = undefined;
  };

  const dropOthers = (): void => {
    stopLinger();
    transact(() => {
      for (const row of store.getRowIds(CONNECTIONS)) deleteRow(CONNECTIONS, row);
      store.delTable(USERS);
    });
  };

  const stop = (): void => {
    pause();
    state = 'ended';
    stopLinger();
    channel.close();
    // Once: the Store gives an id that is free to the next listener of the app.
    for (const listenerId of listenerIds.splice(0)) store.delListener(listenerId);
  };

  const opened = (): void => {
    const oldId = ownId;
    ownId = id();
    if (ownId !== oldId) {
      transact(() => {
        store.delRow(CONNECTIONS, oldId);
        user = undefined;
        input.forEach(write);
      });
    }
    join();
  };

  const set = (cells: object): void => {
    // A row of a Store that shows another presence by now would stay for ever.
    if (state === 'ended') return;
    assertCells(cells);
    run(() => {
      for (const [cell, value] of Object.entries<StoreLeaf | undefined>({ ...cells })) {
        if (value === undefined) write(value, cell);
        else store.setCell(CONNECTIONS, ownId, cell, value);
        // The Store may refuse it. The listener is called only if the Store's view changes.
        touched.add(cell);
      }
    });
  };

  const channel = open({
    onOpen: opened,
    onClose: () => {
      // From the first loss on, if the picture has not come since.
      if (state !== 'closed') endLinger ??= after(lingerMilliseconds, dropOthers);
      pause();
    },
    onAnotherRoom: dropOthers,
    onRefused: report,
    onStopped: report,
    onTakenOver: () => {
      stop();
      report(
        new TinyBasePartyKitError(
          'replaced',
          'A newer presence uses this socket: destroy() this one.',
        ),
      );
    },
    onFrame: (json) => {
      let message: PresenceFromRoom;
      try {
        message = decode(json);
      } catch {
        // It may be the app's own.
        return;
      }
      if (message.type === 'changes') apply(message.changes);
      else correct(message);
      waitToCheck();
    },
  });
  store.getCellIds(CONNECTIONS, ownId).forEach(edit);
  const listenerIds = [
    store.addCellListener(CONNECTIONS, null, null, (_store, table, row, cell) => {
      if (!isApplying && isOwn(table, row)) edit(cell);
    }),
    store.addInvalidCellListener(CONNECTIONS, null, null, (_store, _table, row, cell) => {
      // Once: there may be many a second.
      if (isInvalidTold || row !== ownId) return;
      isInvalidTold = true;
      report(notGot('presence.set', `value that a Store can hold for the cell ${cell}`));
    }),
    store.addDidFinishTransactionListener(() => {
      // Only now: the transaction may have been rolled back.
      touched.forEach(edit);
      touched.clear();
      sendSoon();
    }),
  ];
  try {
    set(initial);
  } catch (error) {
    // The app has no presence that it could destroy.
    stop();
    throw error;
  }
  if (channel.isOpen()) opened();

  return {
    getStore: () => store,
    getId: () => ownId,
    set,
    destroy: (isLast) => {
      // The connection may be that of a newer presence, and so may the Store.
      if (state !== 'ended') isLast = channel.send(LEAVE) || true;
      stop();
      if (isLast) transact(() => store.delTable(CONNECTIONS).delTable(USERS));
    },
  };
}
