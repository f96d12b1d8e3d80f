import { decodeChanges, decodeContent, encodeContent } from '../../protocol/codec.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import { LeafMap } from '../../protocol/leaf-map.ts';
import type { PendingPush } from '../replica/replica.ts';
import type { RestoredSession, SessionPorts } from '../session/session-ports.ts';
import type { ClientStorage, RestoredRecords } from './client-storage.ts';
import type { Outbox, OutboxOwner } from './outbox.ts';

/** The pause between a change and the write of the base, and between a failure and the next attempt. */
const LATER_MILLISECONDS = 1000;

/** Returns the ports of a session whose pending pushes survive a restart (KEEP-1). */
export function durablePorts(
  storage: ClientStorage,
  records?: RestoredRecords,
): Pick<SessionPorts, 'createOutbox' | 'restored'> {
  const createOutbox = (owner: OutboxOwner): Outbox => createDurableOutbox(storage, owner, records);
  return records === undefined
    ? { createOutbox }
    : { createOutbox, restored: decodeRecords(records) };
}

/** Decodes the records of a client that has stopped, so that a session can continue from them. */
export function decodeRecords({ outbox, base }: RestoredRecords): RestoredSession {
  const pushes = (outbox?.pushes ?? [])
    .filter(({ number }) => number > (base?.folded ?? 0))
    .map(({ number, changes, isDerived }) => ({
      number,
      changes: decodeChanges(changes),
      encoded: changes,
      isDerived,
    }));
  return {
    ...(outbox === undefined ? {} : { outbox: { ...outbox, pushes } }),
    ...(base === undefined
      ? {}
      : {
          base: {
            cursor: base.cursor,
            content: decodeContent(base.content) ?? new LeafMap<Leaf>(),
          },
        }),
  };
}

/** Keeps a client's two records in step with what it may send and confirm (KEEP-2, KEEP-3). */
function createDurableOutbox(
  storage: ClientStorage,
  owner: OutboxOwner,
  records: RestoredRecords | undefined,
): Outbox {
  const { after, onError } = owner;
  const restored = records?.outbox;
  /** The answered pushes that no durable base includes yet. */
  let answered: readonly PendingPush[] = [];
  /** The highest push number that was answered. */
  let folded = restored === undefined ? 0 : (records?.base?.folded ?? 0);
  let confirmed = folded;
  let durableGeneration = restored?.generation ?? 0;
  let durablePush = restored?.lastNumber ?? 0;
  /** Rises with each new client id. It tells writes that began under an older one: their result is ignored. */
  let lives = 0;
  let isWriting = false;
  let isOutdated = false;
  let cancelBase: (() => void) | undefined;
  let cancelRetry: (() => void) | undefined;

  /** Writes again later. Only durable pushes are sent, so a failed write has to be repeated. */
  const failed = (error: unknown): void => {
    onError(error);
    cancelRetry?.();
    cancelRetry = after(LATER_MILLISECONDS, () => {
      save();
      saveBaseLater();
    });
  };
  const write = async (): Promise<void> => {
    isWriting = true;
    while (isOutdated) {
      isOutdated = false;
      const life = lives;
      const { clientId, generation, lastNumber, pending } = owner.state();
      const pushes = [...answered, ...pending];
      try {
        await storage.writeOutbox({
          clientId,
          generation,
          lastNumber,
          pushes: pushes.map(({ number, encoded, isDerived }) => ({
            number,
            changes: encoded,
            isDerived,
          })),
        });
        if (life !== lives) continue;
        durableGeneration = generation;
        durablePush = lastNumber;
        owner.onDurable();
      } catch (error) {
        failed(error);
      }
    }
    isWriting = false;
  };
  const writeBase = async (): Promise<void> => {
    const base = owner.base();
    if (base === 'busy') saveBaseLater();
    if (base === 'busy' || base === undefined) return;
    const included = folded;
    const life = lives;
    try {
      const content = encodeContent(base.content);
      await storage.writeBase({ cursor: base.cursor, content, folded: included });
      if (life !== lives) return;
      confirmed = Math.max(confirmed, included);
      answered = answered.filter((push) => push.number > included);
    } catch (error) {
      failed(error);
    }
    save();
  };
  /** Writes the outbox, one write after another. */
  const save = (): void => {
    isOutdated = true;
    if (!isWriting) void write();
  };
  const saveBaseLater = (): void => {
    cancelBase ??= after(LATER_MILLISECONDS, () => {
      cancelBase = undefined;
      void writeBase();
    });
  };
  return {
    confirmed: () => confirmed,
    isGenerationDurable: (generation) => generation <= durableGeneration,
    isPushDurable: (number) => number <= durablePush,
    answered: (pushes) => {
      folded = Math.max(folded, pushes.at(-1)?.number ?? 0);
      answered = [...answered, ...pushes];
      saveBaseLater();
    },
    save,
    saveBaseLater,
    clear: () => {
      lives++;
      answered = [];
      folded = confirmed = durableGeneration = durablePush = 0;
    },
    stop: () => {
      cancelBase?.();
      cancelRetry?.();
    },
  };
}
