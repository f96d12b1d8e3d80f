import type * as Party from 'partykit/server';
import type { Cell, CellOrUndefined, Id, Value, ValueOrUndefined } from 'tinybase';
import type {
  broadcastChanges as stockBroadcastChanges,
  hasStoreInStorage as stockHasStoreInStorage,
  loadStoreFromStorage as stockLoadStoreFromStorage,
  TinyBasePartyKitServer as StockServer,
  TinyBasePartyKitServerConfig as StockConfig,
} from 'tinybase/persisters/persister-partykit-server';
import { describe, expectTypeOf, test } from 'vitest';

import {
  broadcastChanges,
  hasStoreInStorage,
  loadStoreFromStorage,
  TinyBasePartyKitServer,
  type TinyBasePartyKitServerConfig,
} from '../../src/server/index.ts';

type Hook = Extract<keyof StockServer, `can${string}`>;

/** A room as it was written for TinyBase's class. Compiled, and never run. */
class Room extends TinyBasePartyKitServer {
  override readonly config = { messagePrefix: 'm', responseHeaders: { 'X-Own': '1' } };

  override async onMessage(message: string, connection: Party.Connection): Promise<void> {
    if (message !== 'own') await super.onMessage(message, connection);
  }

  override async onRequest(request: Party.Request): Promise<Response> {
    return await super.onRequest(request);
  }

  override async canSetTable(
    tableId: Id,
    initialSave: boolean,
    requestOrConnection: Party.Request | Party.Connection,
  ): Promise<boolean> {
    return initialSave || 'id' in requestOrConnection || tableId === '';
  }

  override async canSetCell(
    _tableId: Id,
    _rowId: Id,
    _cellId: Id,
    cell: Cell,
    _initialSave: boolean,
    _requestOrConnection: Party.Request | Party.Connection,
    oldCell: CellOrUndefined,
  ): Promise<boolean> {
    return cell !== oldCell;
  }

  override async canSetValue(
    _valueId: Id,
    value: Value,
    _initialSave: boolean,
    _requestOrConnection: Party.Request | Party.Connection,
    oldValue: ValueOrUndefined,
  ): Promise<boolean> {
    return value !== oldValue;
  }

  override async canDelRow(tableId: Id, rowId: Id, connection: Party.Connection): Promise<boolean> {
    return tableId + rowId !== connection.id;
  }
}

/** Each has an option that does not exist. Compiled, and never run. */
export class Mistyped extends TinyBasePartyKitServer {
  // @ts-expect-error -- storePath
  override config = { storepath: '/x' };
}
export class MistypedAmongOthers extends TinyBasePartyKitServer {
  override config: TinyBasePartyKitServerConfig = {
    messagePrefix: 'm',
    // @ts-expect-error -- storePath
    storepath: '/x',
  };
}
export class MistypedLimit extends TinyBasePartyKitServer {
  override config: TinyBasePartyKitServerConfig = {
    // @ts-expect-error -- contentBytes
    limits: { contentbytes: 1, pushBytes: 2 },
  };
}
export class MistypedInConstructor extends TinyBasePartyKitServer {
  constructor(party: Party.Room) {
    super(party);
    // @ts-expect-error -- storePath
    this.config = { messagePrefix: 'm', storepath: '/x' };
  }
}

describe('TinyBasePartyKitServer', () => {
  test("has what TinyBase's has; its hooks may answer at once as well", () => {
    expectTypeOf<StockServer>().toExtend<Pick<TinyBasePartyKitServer, Hook>>();
    expectTypeOf<Omit<TinyBasePartyKitServer, Hook>>().toExtend<Omit<StockServer, Hook>>();
    expectTypeOf<Room>().toExtend<Party.Server>();
    expectTypeOf(TinyBasePartyKitServer).toBeConstructibleWith(...([] as unknown as [Party.Room]));
  });

  test("takes the configuration of TinyBase's", () => {
    expectTypeOf<StockConfig>().toExtend<TinyBasePartyKitServerConfig>();
  });

  test("comes with the functions of TinyBase's", () => {
    expectTypeOf(hasStoreInStorage).toExtend<typeof stockHasStoreInStorage>();
    expectTypeOf(loadStoreFromStorage).toExtend<typeof stockLoadStoreFromStorage>();
    expectTypeOf<Parameters<typeof broadcastChanges>[1]>().toEqualTypeOf<
      Parameters<typeof stockBroadcastChanges>[1]
    >();
    expectTypeOf(broadcastChanges).toBeCallableWith(
      ...([] as unknown as Parameters<(room: Room) => void>),
      [{}, {}, 1],
    );
    expectTypeOf(broadcastChanges).returns.toEqualTypeOf<Promise<void>>();
  });
});
