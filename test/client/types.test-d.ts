import type PartySocket from 'partysocket';
import { createMergeableStore, type Content, type Store } from 'tinybase';
import type { Persister } from 'tinybase/persisters';
import type {
  createPartyKitPersister as createStockPersister,
  PartyKitPersister as StockPersister,
  PartyKitPersisterConfig as StockConfig,
} from 'tinybase/persisters/persister-partykit-client';
import { describe, expectTypeOf, test } from 'vitest';

import {
  createPartyKitPersister,
  type ErrorCode,
  type PartyKitPersister,
  type PartyKitPersisterConfig,
  type Refusal,
  type Sync,
  type TinyBasePartyKitError,
} from '../../src/client/index.ts';

/** Compiled, and never run. */
function callAsAppsDo(store: Store, socket: PartySocket): PartyKitPersister[] {
  return [
    createPartyKitPersister(store, socket),
    createPartyKitPersister(createMergeableStore(), socket),
    createPartyKitPersister(store, socket, 'http'),
    createPartyKitPersister(store, socket, { storePath: '/s', messagePrefix: 'm' }),
    createPartyKitPersister(store, socket, { storeProtocol: 'https' }, (error: Error) => {
      throw error;
    }),
    createPartyKitPersister(store, socket, undefined, (error: Response) => error.status),
  ];
}

describe('createPartyKitPersister', () => {
  test("can be had wherever TinyBase's is expected", () => {
    expectTypeOf(createPartyKitPersister).toExtend<typeof createStockPersister>();
    expectTypeOf<PartyKitPersister>().toExtend<StockPersister>();
    expectTypeOf<PartyKitPersister>().toExtend<Persister>();
  });

  test("accepts what TinyBase's accepts", () => {
    expectTypeOf<Parameters<typeof createStockPersister>>().toExtend<
      Parameters<typeof createPartyKitPersister>
    >();
    expectTypeOf<StockConfig>().toExtend<PartyKitPersisterConfig>();
    expectTypeOf<PartyKitPersisterConfig>().toExtend<StockConfig>();
  });

  test('refuses an option that does not exist', () => {
    expectTypeOf(createPartyKitPersister).toBeFunction();
    // @ts-expect-error -- storePath
    const config: PartyKitPersisterConfig = { messagePrefix: 'm', storepath: '/x' };
    expectTypeOf(config).toExtend<object>();
  });

  test('is called as apps call it', () => {
    expectTypeOf(callAsAppsDo).returns.toBeArray();
  });

  test('returns what has more than TinyBase has', () => {
    expectTypeOf<PartyKitPersister['getConnection']>().returns.toEqualTypeOf<PartySocket>();
    expectTypeOf<PartyKitPersister['getSync']>().returns.toEqualTypeOf<Sync>();
    expectTypeOf<PartyKitPersister['whenConfirmed']>().returns.toEqualTypeOf<Promise<void>>();
    expectTypeOf<PartyKitPersister['addRefusalListener']>().returns.toBeString();
    expectTypeOf<PartyKitPersister['startAutoLoad']>()
      .parameter(0)
      .toEqualTypeOf<Content | (() => Content) | undefined>();
    expectTypeOf<Sync['code']>().toEqualTypeOf<ErrorCode | undefined>();
    expectTypeOf<TinyBasePartyKitError['code']>().toEqualTypeOf<ErrorCode>();
  });

  test('reports refusals that tell rows, cells and values apart', () => {
    expectTypeOf<Refusal['type']>().toEqualTypeOf<'row' | 'cell' | 'value'>();
    expectTypeOf<Extract<Refusal, { type: 'cell' }>>().toHaveProperty('cellId');
    expectTypeOf<Extract<Refusal, { type: 'value' }>>().toHaveProperty('value');
  });
});
