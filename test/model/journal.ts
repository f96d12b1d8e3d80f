import { applyChangesToLeaves } from '../../src/protocol/changes.ts';
import type { Leaf } from '../../src/protocol/leaf.ts';
import { LeafMap } from '../../src/protocol/leaf-map.ts';
import type { Cursor } from '../../src/protocol/messages.ts';
import type { LogEntry } from '../../src/server/storage/log-row.ts';
import { copyLeaves } from './leaves.ts';
import { givenIdOf } from './sim-gate.ts';
import { PropertyFailure } from './world.ts';

/** One unbroken history of a room, as far as it is on disk. */
export class Branch {
  readonly epoch: string;
  /** The content at each version, 0 on. */
  readonly contents: LeafMap<Leaf>[] = [new LeafMap()];
  /** The entry that made each version, and those that made none, in order. */
  readonly entries: LogEntry[] = [];
  /** The highest push number of each client id that was processed. */
  readonly lastPushes: Map<string, number> = new Map();

  constructor(epoch: string) {
    this.epoch = epoch;
  }

  /** What is known so far, under a name of its own. */
  copy(epoch: string): Branch {
    const branch = new Branch(epoch);
    branch.contents.splice(0, 1, ...this.contents);
    branch.entries.push(...this.entries);
    for (const [clientId, push] of this.lastPushes) branch.lastPushes.set(clientId, push);
    return branch;
  }

  get version(): number {
    return this.contents.length - 1;
  }

  get latest(): LeafMap<Leaf> {
    return this.contents.at(-1) ?? new LeafMap();
  }

  /** The room's initial content, which is no entry of the log: nobody can have seen what was before it. */
  begin(content: LeafMap<Leaf>, version: number): void {
    while (this.contents.length <= version) this.contents.push(content);
  }

  /** What a cold start finds in the client records: pushes that made no commit are nowhere else. */
  addClients(clients: ReadonlyMap<string, { readonly lastPush: number }>): void {
    for (const [kept, { lastPush }] of clients) {
      const clientId = givenIdOf(kept);
      this.lastPushes.set(clientId, Math.max(lastPush, this.lastPushes.get(clientId) ?? 0));
    }
  }

  /** The commit that a push became, if it became one. */
  entryOf(clientId: string, push: number): LogEntry | undefined {
    return this.entries.find(({ author }) => author?.clientId === clientId && author.push === push);
  }

  append(entry: LogEntry): void {
    const { version, changes, author } = entry;
    const expected = this.version + (changes === undefined ? 0 : 1);
    if (version !== expected) {
      throw new PropertyFailure(
        'one order',
        `version ${version} was written where ${expected} was due`,
      );
    }
    if (author !== undefined) {
      const last = this.lastPushes.get(author.clientId) ?? 0;
      if (author.push <= last) {
        throw new PropertyFailure(
          'exactly once',
          `push ${author.push} of ${author.clientId} was processed again`,
        );
      }
      this.lastPushes.set(author.clientId, author.push);
    }
    this.entries.push(entry);
    if (changes === undefined) return;
    const content = copyLeaves(this.latest);
    applyChangesToLeaves(content, changes);
    this.contents.push(content);
  }
}

/** Told of every entry that is on disk from now on, with the content before it. */
export type EntryObserver = (entry: LogEntry, before: LeafMap<Leaf>) => void;

/** What the room has written, as an observer of the disk knows it. */
export class Journal {
  readonly #observer: EntryObserver;
  /** Every history that there ever was; several of one epoch if storage was set back. */
  readonly #branches: Branch[] = [];

  constructor(observer: EntryObserver) {
    this.#observer = observer;
  }

  /** The branch of that epoch, which begins now if there is none. */
  begin(epoch: string): Branch {
    return this.#latest(epoch) ?? this.add(new Branch(epoch));
  }

  /** Takes note of an entry that is on disk from now on. */
  append(branch: Branch, written: LogEntry): void {
    const { author } = written;
    const entry =
      author === undefined
        ? written
        : { ...written, author: { ...author, clientId: givenIdOf(author.clientId) } };
    const before = branch.latest;
    branch.append(entry);
    this.#observer(entry, before);
  }

  add(branch: Branch): Branch {
    this.#branches.push(branch);
    return branch;
  }

  branches(): Iterable<Branch> {
    return this.#branches;
  }

  contentAt({ epoch, version }: Cursor): LeafMap<Leaf> | undefined {
    return this.#latest(epoch)?.contents[version];
  }

  /** Every content that the room has ever had at that cursor, the latest first. */
  contentsAt({ epoch, version }: Cursor): LeafMap<Leaf>[] {
    // A room that has no Store yet has nothing on disk.
    if (version === 0) return [new LeafMap()];
    return this.#branches
      .filter((branch) => branch.epoch === epoch)
      .map((branch) => branch.contents[version])
      .filter((content) => content !== undefined)
      .toReversed();
  }

  #latest(epoch: string): Branch | undefined {
    return this.#branches.findLast((branch) => branch.epoch === epoch);
  }
}
