import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Store } from 'tinybase';

import type { OfflineStorage } from '../../../src/client/offline/offline-storage.ts';
import type { MemoryLocks } from '../../support/offline-doubles.ts';
import { ScriptedRoom } from '../session/scripted-room.ts';

/** The things that several tabs of one browser share. */
export interface Browser {
  readonly storage: OfflineStorage | (() => Promise<OfflineStorage>);
  readonly locks?: MemoryLocks | undefined;
  readonly user?: string;
  /** Takes last writes while the storage is not open. */
  readonly writeLast?: NonNullable<OfflineStorage['writeLast']>;
}

/** The time at which each tab begins, in milliseconds since 1970. */
export const NOW = 1_000_000;

let tabs = 0;

/** A tab of a browser: a session over a room that the test plays. */
export class OfflineTab extends ScriptedRoom {
  constructor(browser: Browser, lastClient?: { id?: string }, store?: Store) {
    const { storage, locks, user, writeLast } = browser;
    const tab = {};
    super({
      ...(store && { store }),
      firstId: (tabs += 1) * 1000,
      device: {
        user,
        storage: typeof storage === 'function' ? storage : async () => storage,
        locks: locks?.of(tab),
        lastClient: {
          get: () => lastClient?.id,
          set: (_scope, id) => {
            if (lastClient !== undefined) lastClient.id = id;
          },
        },
        ...(writeLast && { writeLast }),
        now: () => NOW + this.time.now,
        onEnd: (listener) => {
          this.end = listener;
          return () => {
            this.end = () => undefined;
          };
        },
      },
    });
    this.putAside = () => {
      this.end(true);
      if (this.isOpen) this.close();
      const tell = browser.locks?.takeAway(tab);
      return () => {
        tell?.();
        this.end(false);
      };
    };
    this.die = () => {
      browser.locks?.end(tab);
      this.isOpen = false;
    };
  }

  /** The page is about to end (true), or comes back (false). */
  end: (isEnding: boolean) => void = () => undefined;

  /**
   * The browser keeps the page for its "back" button: it ends, its locks are free, and its socket is closed. The returned function lets it
   * come back.
   */
  readonly putAside: () => () => void;

  /** The tab dies: its locks are free, and it sends nothing any more. */
  readonly die: () => void;

  /** Starts, and lets everything happen that needs no network. */
  async start(): Promise<void> {
    void this.session.follow();
    void this.session.startSaving();
    await settle();
  }

  /** Comes online in a room without changes since. Returns the hello. */
  async join(
    welcome: Partial<Parameters<ScriptedRoom['welcome']>[0]> = {},
  ): Promise<ReturnType<ScriptedRoom['hello']>> {
    this.open();
    await settle();
    const hello = this.hello();
    this.welcome({ generation: hello.generation, ...welcome });
    await settle();
    return hello;
  }
}

/** Lets every promise settle that can. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
}
