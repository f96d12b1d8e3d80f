import type { PartySocket } from 'partysocket';
import type { Store } from 'tinybase';
import { createPartyKitPersister as createStockPersister } from 'tinybase/persisters/persister-partykit-client';
import { test } from 'vitest';
import {
  createPartyKitPersister,
  type PartyKitPersister,
  type PartyKitPersisterConfig,
} from '../../src/client/index.ts';
import { hostNamed, type HostName, startHost } from '../hosts/hosts.ts';
import { type Party, type PartyOptions, startParty } from './party.ts';

/**
 * Which pair the tests of `test/room` run against: ours, or with `PAIR=stock` TinyBase's own.
 *
 *     PAIR=stock npx vitest run --project room
 *
 * is how these tests are seen to fail: there, each test declared with {@link promise} must fail, for the reason
 * that it names. Those without a reason hold for both pairs.
 */
export const PAIR: 'ours' | 'stock' = process.env['PAIR'] === 'stock' ? 'stock' : 'ours';

/**
 * The host of the rooms in the tests of `test/room`: PartyKit, or with `HOST=durable-object` or `HOST=partyserver`
 * another host, to see all of them hold there.
 */
export const HOST: HostName = hostNamed(process.env['HOST']);

/** How long to wait for what should come true at once. Against stock it never does: be brief. */
export const PATIENCE_MILLISECONDS: number = PAIR === 'stock' ? 1500 : 10_000;

/** A persister of the pair under test, seen as ours: with the stock pair, what stock lacks is not there. */
export const createTestedPersister = (
  store: Store,
  socket: PartySocket,
  config: PartyKitPersisterConfig,
  onIgnoredError: (error: unknown) => void,
): PartyKitPersister =>
  PAIR === 'stock'
    ? (createStockPersister(
        store,
        socket,
        { storeProtocol: 'http', ...config },
        onIgnoredError,
      ) as unknown as PartyKitPersister)
    : createPartyKitPersister(store, socket, config, onIgnoredError);

/**
 * Starts a party with the rooms of `test/room/fixtures`, built on the server of the pair under test. Stopping it throws
 * if a room of ours has complained of anything but a hook.
 */
export const startTestedParty = async (options: PartyOptions = {}): Promise<Party> => {
  const party =
    HOST === 'partykit'
      ? await startParty({
          entry: 'test/room/fixtures/plain.ts',
          config: `test/room/fixtures/partykit-${PAIR === 'stock' ? 'stock-' : ''}rooms.json`,
          ...options,
        })
      : await startHost(HOST, options);
  return {
    ...party,
    stop: async () => {
      await party.stop();
      const complaints = party
        .output()
        .split('\n')
        .filter((line) => /went wrong in the room \((?!hook\))/.test(line));
      if (complaints.length > 0) {
        throw new Error(`A room has complained: ${complaints.join('\n')}`);
      }
    },
  };
};

/**
 * A test that ours passes and stock must fail, with an error whose message matches `stockFailure`; `undefined`
 * for what both get right.
 */
export const promise = (
  title: string,
  stockFailure: RegExp | undefined,
  run: () => Promise<void>,
  timeoutMilliseconds?: number,
): void => {
  test(
    title,
    PAIR === 'ours' || stockFailure === undefined
      ? run
      : async () => {
          await mustFail(run, stockFailure);
        },
    timeoutMilliseconds,
  );
};

const mustFail = async (run: () => Promise<void>, reason: RegExp): Promise<void> => {
  let failure: unknown;
  try {
    await run();
  } catch (error) {
    failure = error;
  }
  if (failure === undefined) {
    throw new Error('The stock pair passes this test, so it does not show what it claims.');
  }
  if (!(failure instanceof Error && reason.test(failure.message))) {
    throw new Error(`The stock pair fails for another reason than ${reason.source}.`, {
      cause: failure,
    });
  }
};
