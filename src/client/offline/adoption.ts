import type { Changes } from '../../protocol/changes.ts';
import { encodeChanges, encodeClientMessage } from '../../protocol/codec.ts';
import { TinyBasePartyKitError } from '../../protocol/errors.ts';
import type { Hello, Welcome } from '../../protocol/messages.ts';
import type { PendingPush } from '../replica/pending-push.ts';
import { lockOf, readHead, readRecords, unreadable, type RecordScope } from './claim-record.ts';
import { decodeEdits, encodeHead, RESERVED_GENERATIONS } from './client-record.ts';
import type { OfflineLocks } from './offline-storage.ts';
import type { OutboxOwner } from './outbox.ts';
import type { RecordWriter } from './record-writer.ts';

/** The pause between two searches for clients that have ended. */
const SEARCH_MILLISECONDS = 10_000;

/**
 * The time after which a page that cannot reach the room frees the clients that it holds. It is shorter than the time for which a page
 * waits for its own record (OFFLINE-3).
 */
const HOLD_MILLISECONDS = 300;

/** The wait for the room's answer to the hello of another client. A room answers in order, and hooks take time. */
const ANSWER_MILLISECONDS = 10_000;

/** The pause before the next attempt while the app has a transaction open, and before a search when the page is about to be live. */
const BUSY_MILLISECONDS = 5;

/** The hellos for others after one search. A room takes few hellos of different clients on one connection at once (FLOOD-4). */
const MOST_HELLOS = 3;

/** The number of the last hellos whose answers are recognised, however late they come. */
const MOST_ASKED = 100;

const SEARCH_MESSAGE =
  'Edits of closed pages wait: the storage of this device cannot be read or written, for example because it is full. This page tries again every 10 seconds.';

/** A client that has ended with edits. This page holds its lock. */
interface EndedClient {
  readonly recordId: string;
  readonly clientId: string;
  readonly pushes: readonly PendingPush[];
  /** The edits that waited for saving to start. They were never sent. */
  readonly held: Changes | undefined;
  /** Its generations that nobody has used. */
  readonly firstGeneration: number;
  generation: number;
  readonly release: () => void;
}

/** The hello of an ended client, said for it. */
interface Question {
  readonly client: EndedClient;
  /** The generation of the own hello that waits. */
  readonly ownGeneration: number;
  readonly cancelTimeout: () => void;
}

/**
 * Takes over the edits of clients that have ended (OFFLINE-5). It holds the lock of such a client, says hello as that client
 * before the own hello, and moves what the room has not processed.
 */
export class Adoption {
  readonly #scope: RecordScope & { readonly locks: OfflineLocks };
  readonly #writer: RecordWriter;
  readonly #owner: OutboxOwner;
  readonly #now: () => number;
  readonly #ended: EndedClient[] = [];
  /** Clients for which there was no answer: how often, and the number of searches that leave them out. */
  readonly #unanswered = new Map<string, { times: number; searches: number }>();
  /** The generations of the last hellos that were said for others, oldest first. An answer may come late. */
  readonly #asked = new Set<number>();
  /** The highest generation that is reserved for such hellos: each client has its own range, so that no answer is taken for another. */
  #reserved = 0;
  #question: Question | undefined;
  /** The hellos for others since the last search. */
  #hellos = 0;
  #cancelSearch: (() => void) | undefined;
  /** True once this page has left clients to others: it searches again when it can ask the room for them. */
  #hasFreed = false;
  #hasTold = false;
  #hasStopped = false;

  constructor(
    scope: RecordScope & { readonly locks: OfflineLocks },
    writer: RecordWriter,
    owner: OutboxOwner,
    now: () => number,
  ) {
    this.#scope = scope;
    this.#writer = writer;
    this.#owner = owner;
    this.#now = now;
  }

  /** Searches now, and again and again. A search that fails is no harm: the next one may not. */
  async search(): Promise<void> {
    if (this.#hasStopped) return;
    this.#hellos = 0;
    // The first search comes before the own hello.
    if (this.#cancelSearch === undefined) {
      await this.#search();
      this.#owner.after(HOLD_MILLISECONDS, () => this.#freeUnlessConnected());
    } else if (this.#canAsk()) await this.#search();
    else if (this.#question === undefined) this.#free();
    if (this.#hasStopped) return;
    const isNext = this.#ended.length > 0 && this.#hellos < MOST_HELLOS;
    if (isNext && this.#canAsk()) this.#owner.happened('opened');
    this.#searchLater(SEARCH_MILLISECONDS);
  }

  /** Returns true if the own hello has to wait. */
  isFirst(ownGeneration: number): boolean {
    if (this.#question?.ownGeneration === ownGeneration) return true;
    this.#question?.cancelTimeout();
    this.#question = undefined;
    const [client] = this.#ended;
    if (client === undefined || this.#hellos >= MOST_HELLOS) return false;
    if (!this.#owner.state().intent.isSaving) return false;
    this.#hellos += 1;
    // Above all own generations: no welcome is taken for another.
    client.generation = Math.max(client.generation, ownGeneration) + 1;
    this.#asked.add(client.generation);
    const [oldest = 0] = this.#asked;
    if (this.#asked.size > MOST_ASKED) this.#asked.delete(oldest);
    const cancelTimeout = this.#owner.after(ANSWER_MILLISECONDS, () => this.#giveUp(client));
    this.#question = { client, ownGeneration, cancelTimeout };
    const nextPush = client.pushes[0]?.number ?? 1;
    const hello: Hello = {
      type: 'hello',
      clientId: client.clientId,
      generation: client.generation,
      // Only the number of its last push is wanted.
      cursor: undefined,
      nextPush,
      ackedPush: nextPush - 1,
    };
    this.#owner.socket.send(encodeClientMessage(this.#owner.prefix, hello));
    return true;
  }

  /** A welcome has come. Returns true if it was for a client that has ended. */
  heard(welcome: Welcome): boolean {
    const question = this.#question;
    const { firstGeneration = Infinity, generation = 0 } = question?.client ?? {};
    const isAnswer = welcome.generation >= firstGeneration && welcome.generation <= generation;
    if (question === undefined || !isAnswer) {
      const own = this.#owner.client().generation;
      if (this.#hasFreed && welcome.generation === own) {
        this.#hasFreed = false;
        this.#searchLater(BUSY_MILLISECONDS);
      }
      return this.#asked.has(welcome.generation) && welcome.generation > own;
    }
    // Since an earlier hello, the room may have had more pushes of that client: the answer to the last one counts (JOIN-4).
    if (welcome.generation < generation) return true;
    question.cancelTimeout();
    this.#adopt(question, welcome.lastPush);
    return true;
  }

  stop(): void {
    this.#hasStopped = true;
    this.#cancelSearch?.();
    this.#question?.cancelTimeout();
    this.#question = undefined;
    this.#free();
  }

  /** True if the page could say hello for another client now. A push that travels in parts would then begin anew (PART-2). */
  #canAsk(): boolean {
    const { isSendingParts, state } = this.#owner;
    const { intent, stage } = state();
    return intent.isSaving && stage.phase === 'live' && !isSendingParts();
  }

  #searchLater(milliseconds: number): void {
    this.#cancelSearch?.();
    this.#cancelSearch = this.#owner.after(milliseconds, () => void this.search());
  }

  #freeUnlessConnected(): void {
    const { phase } = this.#owner.state().stage;
    if (this.#question === undefined && phase !== 'catching-up' && phase !== 'live') this.#free();
  }

  /** Leaves the clients to pages that can ask the room for them (OFFLINE-11). */
  #free(): void {
    this.#hasFreed = true;
    for (const { release } of this.#ended.splice(0)) release();
  }

  #adopt(question: Question, lastPush: number): void {
    if (this.#hasStopped || this.#question !== question) return;
    const { client } = question;
    const { recordId, release } = client;
    const remove = this.#scope.keys.all(recordId);
    let { lastNumber } = this.#owner.client();
    const first = lastNumber + 1;
    const left = client.pushes.filter(({ number }) => number > lastPush);
    // Edits that waited are one push, after the others.
    const { held } = client;
    const all =
      held === undefined ? left : [...left, { changes: held, encoded: encodeChanges(held) }];
    const pushes = all.map((push: Omit<PendingPush, 'number'>) => {
      const { changes, encoded, isDerived } = push;
      lastNumber += 1;
      return { number: lastNumber, changes, encoded, isDerived };
    });
    const moved = { remove, first, last: lastNumber, release };
    const edits = { pushes, lastNumber };
    const isDone = this.#writer.move(
      moved,
      () => pushes.length === 0 || this.#owner.replica.restore(undefined, edits),
    );
    if (!isDone) {
      this.#owner.after(BUSY_MILLISECONDS, () => this.#adopt(question, lastPush));
      return;
    }
    this.#finish(client);
    this.#question = undefined;
    this.#owner.happened('durable');
  }

  /** Lets the own hello go first, and asks again later: each time twice as late. */
  #giveUp(client: EndedClient): void {
    const { recordId } = client;
    const times = (this.#unanswered.get(recordId)?.times ?? 0) + 1;
    this.#unanswered.set(recordId, { times, searches: 2 ** Math.min(times, 8) });
    this.#finish(client);
    client.release();
    this.#question = undefined;
    this.#owner.happened('durable');
  }

  #finish(client: EndedClient): void {
    this.#ended.splice(this.#ended.indexOf(client), 1);
  }

  async #search(): Promise<void> {
    try {
      const known = await readRecords(this.#scope);
      for (const recordId of known.heads.keys()) {
        const isKnown =
          recordId === this.#writer.record.id ||
          this.#isLeftOut(recordId) ||
          this.#ended.some((ended) => ended.recordId === recordId);
        if (!isKnown) await this.#take(recordId);
      }
    } catch (cause) {
      this.#failed(cause);
    }
  }

  /** Takes the lock of a client, and frees it again unless the client has ended with edits that can be read. */
  async #take(recordId: string): Promise<void> {
    const release = await this.#scope.locks.take(lockOf(recordId), 0);
    if (release === undefined) return;
    let ended: EndedClient | undefined;
    try {
      if (!this.#hasStopped) ended = await this.#readEnded(recordId, release);
    } catch (cause) {
      this.#failed(cause);
    }
    if (ended === undefined || this.#hasStopped) release();
    else this.#ended.push(ended);
  }

  #failed(cause: unknown): void {
    this.#tell(new TinyBasePartyKitError('offline', SEARCH_MESSAGE, { cause }));
  }

  /** Says once that edits of closed pages are not sent. */
  #tell(error: TinyBasePartyKitError): void {
    if (this.#hasTold || this.#hasStopped) return;
    this.#hasTold = true;
    this.#owner.onError(error);
  }

  #isLeftOut(recordId: string): boolean {
    const unanswered = this.#unanswered.get(recordId);
    if (unanswered === undefined || unanswered.searches === 0) return false;
    unanswered.searches -= 1;
    return true;
  }

  /** Returns undefined for a client without edits: its record goes, as soon as there is newer content here. */
  async #readEnded(recordId: string, release: () => void): Promise<EndedClient | undefined> {
    const key = this.#scope.keys.head(recordId);
    const text = (await this.#scope.storage.read(key)).get(key);
    if (text === undefined) return undefined;
    const guard = { key, value: text };
    const entries = await this.#scope.storage.read(this.#scope.keys.editsOf(recordId));
    // If this page has lost its locks meanwhile, the other one may have come back.
    if (this.#hasStopped) return undefined;
    const { pushes, held, damaged } = decodeEdits(entries);
    if (damaged.length > 0) this.#tell(unreadable(undefined));
    const { head } = readHead(text);
    if (pushes.length === 0 && held === undefined) {
      if (head.savedAt > 0 && !this.#writer.record.base.isStored) return undefined;
      const remove = this.#scope.keys.all(recordId);
      await this.#scope.storage.write({ guard, remove, set: new Map() });
      return undefined;
    }
    const own = this.#owner.client().generation;
    const generation = Math.max(
      head.generation,
      Math.ceil(this.#now()),
      own + RESERVED_GENERATIONS,
      this.#reserved,
    );
    // Durable before a hello of that generation is sent (KEEP-2).
    const reserved = generation + RESERVED_GENERATIONS;
    this.#reserved = reserved;
    const set = new Map([[key, encodeHead({ ...head, generation: reserved })]]);
    if (!(await this.#scope.storage.write({ guard, remove: [], set }))) return undefined;
    return {
      recordId,
      clientId: head.clientId ?? recordId,
      pushes,
      held,
      firstGeneration: generation + 1,
      generation,
      release,
    };
  }
}
