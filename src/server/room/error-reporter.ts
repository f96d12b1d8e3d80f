import { ALL_ROWS, type Changes } from '../../protocol/changes.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import { VALUES } from '../../protocol/leaf.ts';

import type { RoomErrorSource, RoomOptions } from './room-options.ts';
import { tellApp } from './tell-app.ts';

/** Reports errors to the app that no client can get. Never throws. */
export class ErrorReporter {
  readonly #options: Pick<RoomOptions<unknown, unknown>, 'onRoomError'>;

  constructor(options: Pick<RoomOptions<unknown, unknown>, 'onRoomError'>) {
    this.#options = options;
  }

  report(error: unknown, where: RoomErrorSource): void {
    tellApp(() => this.#options.onRoomError?.(error, where));
  }

  /** Reports transactions of the room's own code that were lost, in one message without their content. */
  reportLost(cause: unknown, transactions: readonly Changes[]): void {
    if (transactions.length === 0) return;
    const message = `The room lost ${transactions.length} transactions of its own code. Make them again (${describeLost(transactions)}).`;
    this.report(new TinyBasePartyKitError('unavailable', message, { cause }), 'storage');
  }
}

const MOST_PATHS = 20;
const LONGEST_ID = 64;

/**
 * Describes transactions that were lost: how many leaves and rows they changed, and the first 20 ids. Leaves out the content, which
 * may be private, and of any size.
 */
function describeLost(transactions: Iterable<Changes>): string {
  const paths: string[] = [];
  let leaves = 0;
  let rows = 0;
  let tables = 0;
  const note = (...ids: readonly string[]): void => {
    if (paths.length < MOST_PATHS) paths.push(JSON.stringify(ids.map(shorten)));
  };
  for (const { deletedRows, leaves: changed } of transactions) {
    for (const [table, deleted] of deletedRows) {
      if (deleted === ALL_ROWS) {
        tables += 1;
        note(table);
      } else {
        rows += deleted.size;
        for (const row of deleted) note(table, row);
      }
    }
    changed.forEach((_leaf, table, row, cell) => {
      leaves += 1;
      if (table === VALUES) note(cell);
      else note(table, row, cell);
    });
  }
  const more = leaves + rows + tables - paths.length;
  const rest = more > 0 ? ` and ${more} more` : '';
  return `leaves changed: ${leaves}, rows deleted: ${rows}, tables deleted: ${tables}; ids: ${paths.join(', ')}${rest}`;
}

function shorten(id: string): string {
  return id.length > LONGEST_ID ? `${id.slice(0, LONGEST_ID)}…` : id;
}
