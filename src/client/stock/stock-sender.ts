import { ALL_ROWS, deletesRow, type Changes } from '../../protocol/changes.ts';
import { encodeClientMessage } from '../../protocol/codec.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import { utf8Length } from '../../protocol/utf8.ts';
import type { Outbox } from '../offline/outbox.ts';
import type { PendingPush } from '../replica/pending-push.ts';
import type { Replica } from '../replica/replica.ts';
import type { SessionSocket } from '../session/session-ports.ts';

/** PartyKit closes a socket on a larger frame. */
const FRAME_BYTES = 1024 * 1024;

/**
 * Sends pending pushes to a room of TinyBase's own server (STOCK-4). That server does not answer, so each push counts as
 * confirmed once it was sent. Returns the number of pushes that were sent.
 */
export function sendStockChanges(
  socket: SessionSocket,
  prefix: string,
  replica: Replica,
  outbox: Outbox,
): number {
  let sent = 0;
  for (let [push] = replica.pending; push !== undefined; [push] = replica.pending) {
    if (!socket.isOpen() || !outbox.isPushDurable(push.number)) break;
    const frames = framesOf(asStock(push), prefix);
    if (frames.some((frame) => utf8Length(frame, FRAME_BYTES) > FRAME_BYTES)) {
      replica.withdraw(push.number, 'too-large');
    } else {
      for (const frame of frames) socket.send(frame);
      sent++;
    }
    replica.acknowledge();
    outbox.answered([push]);
  }
  return sent;
}

/** Names a table that was left empty as a whole, as TinyBase's own clients do: `canDelTable` is asked (STOCK-5). */
function asStock({ changes, deletedTables }: PendingPush): Changes {
  if (deletedTables === undefined || deletedTables.size === 0) return changes;
  const deletedRows = new Map(changes.deletedRows);
  for (const table of deletedTables) deletedRows.set(table, ALL_ROWS);
  return { deletedRows, leaves: changes.leaves };
}

/** Returns one frame, or two if a row is deleted and then set: one stock message cannot say that. */
function framesOf(changes: Changes, prefix: string): readonly string[] {
  let isSetAgain = false;
  changes.leaves.forEach((_leaf, table, row) => {
    isSetAgain ||= deletesRow(changes, table, row);
  });
  const parts: readonly Changes[] = isSetAgain
    ? [
        { deletedRows: changes.deletedRows, leaves: new LeafMap() },
        { deletedRows: new Map(), leaves: changes.leaves },
      ]
    : [changes];
  return parts.map((part) => encodeClientMessage(prefix, { type: 'stock', changes: part }));
}
