import { expect, test } from 'vitest';

import { encodeClientMessage } from '../../src/protocol/codec.ts';
import type { RoomMessage } from '../../src/protocol/messages.ts';
import { answerStoreRequest } from '../../src/server/http/store-endpoint.ts';
import { FakeRoomHost, settle, type FakeConnection } from '../support/fake-connection.ts';
import { seededRandom } from '../support/seeded-random.ts';
import { StrictStorage } from '../support/strict-storage.ts';
import { HostileInput } from './hostile-input.ts';
import { ownOfPrototypes } from './prototypes.ts';

/** `FUZZ_INPUTS=1000000 npx vitest run --project fuzz`; with `SEED=…` the same again. */
const INPUTS = Number(process.env['FUZZ_INPUTS'] ?? 20_000);
const INPUTS_A_ROOM = 2_000;
const INPUTS_A_CHECK = 100;
const ATTACKERS = 5;
const ANSWERS_AN_INPUT = 20;
const HEAP_BYTES = 1_500 * 1024 * 1024;
const STATUSES = new Set([200, 201, 202, 204, 205, 304, 400, 404, 405, 409, 413, 503]);

/** Hears all that a witness was sent, and answers each mark, as one that reads does (`FLOOD-7`). */
const readAll = async (witness: FakeConnection): Promise<RoomMessage[]> => {
  const others: RoomMessage[] = [];
  for (const message of witness.hear()) {
    if (message.type === 'mark') await witness.say(encodeClientMessage('', message));
    else others.push(message);
  }
  return others;
};

/** A room under attack, and two clients in it that want to be left in peace. */
class AttackedRoom {
  readonly host: FakeRoomHost;
  readonly #storage = new StrictStorage();
  readonly #input: HostileInput;
  #attackers: FakeConnection[] = [];
  readonly #nextPushes: number[] = [];
  #witnesses: readonly FakeConnection[] = [];
  #pushes = 0;
  #unexpected: unknown[] = [];

  constructor(input: HostileInput) {
    this.#input = input;
    this.host = new FakeRoomHost(
      { limits: () => ({ messageBurst: Infinity, bodyBytes: 100_000 }) },
      this.#storage,
    );
  }

  async start(): Promise<void> {
    await this.host.seed({ pets: { fido: { species: 'dog' } } });
    this.#witnesses = [await this.host.join('ada'), await this.host.join('bob')];
  }

  /** One input, by a frame on some connection or as a request. */
  async attack(index: number): Promise<void> {
    if (index % 4 === 0) {
      await this.#request();
      return;
    }
    const slot = index % ATTACKERS;
    let attacker = this.#attackers[slot];
    if (attacker === undefined || attacker.closed !== undefined || index % 7 === 0) {
      attacker = this.host.connect();
      this.#attackers[slot] = attacker;
      this.#nextPushes[slot] = 1;
      // Two of five are stock connections.
      if (slot > 1) {
        const { epoch, version } = await this.host.cursor();
        const cursor = slot > 2 ? `["${epoch}",${version}]` : 'null';
        void this.host.room.receive(attacker, this.#input.hello(cursor));
      }
    }
    const nextPush = this.#nextPushes[slot] ?? 1;
    const frame = this.#input.frame(nextPush);
    if (String(frame).startsWith(`p[${nextPush},`)) this.#nextPushes[slot] = nextPush + 1;
    void this.host.room.receive(attacker, frame);
  }

  /** Throws unless all is well: nothing was reported, and what one witness writes reaches the other. */
  async check(): Promise<void> {
    await settle();
    expect(this.#unexpected).toEqual([]);
    expect(this.host.errors).toEqual([]);
    for (const attacker of this.#attackers) {
      const frames = attacker.frames.splice(0);
      // Every commit reaches every attacker that is stock or live, the witnesses' too.
      expect(frames.length).toBeLessThan(INPUTS_A_CHECK * ANSWERS_AN_INPUT);
    }
    const [ada, bob] = this.#witnesses;
    if (ada === undefined || bob === undefined) throw new Error('nobody is there');
    await readAll(ada);
    await readAll(bob);
    this.#pushes += 1;
    await ada.push(this.#pushes, { witnessed: this.#pushes });
    expect(await readAll(ada)).toMatchObject([
      { type: 'ack', number: this.#pushes, isCommit: true },
    ]);
    const [commit, ...others] = await readAll(bob);
    expect(others).toEqual([]);
    if (commit?.type !== 'commit') throw new Error(`No commit: ${JSON.stringify(commit)}`);
    expect(commit.changes.leaves.get(null, '', 'witnessed')).toBe(this.#pushes);
    expect(process.memoryUsage().heapUsed).toBeLessThan(HEAP_BYTES);
  }

  /** Throws unless what is on disk is what the room holds. */
  async end(): Promise<void> {
    const content = await this.host.content();
    // Otherwise hardly anything of the input got as far as the Store.
    if (this.#pushes > 10)
      expect((await this.host.cursor()).version).toBeGreaterThan(5 * this.#pushes);
    expect(await new FakeRoomHost({}, this.#storage.copy()).content()).toEqual(content);
    for (const key of (await this.#storage.list()).keys())
      expect(key.startsWith('@tinybase-partykit/')).toBe(true);
  }

  async #request(): Promise<void> {
    const { method, path, body } = this.#input.request();
    const request = new Request(`http://example.com/parties/main/room${path}`, {
      method,
      ...(body !== undefined && { body: body as BodyInit }),
    });
    const response = await answerStoreRequest(this.host.room, request, {
      storePath: '/store',
      responseHeaders: {},
      onError: (error) => this.#unexpected.push(error),
    });
    if (!STATUSES.has(response.status)) this.#unexpected.push(response.status);
  }
}

test(
  `a room lives through ${INPUTS} hostile inputs, and nobody else in it notices`,
  async () => {
    const random = seededRandom();
    const prototypes = ownOfPrototypes();
    try {
      for (let done = 0; done < INPUTS; done += INPUTS_A_ROOM) {
        const room = new AttackedRoom(new HostileInput(random));
        await room.start();
        for (let index = 0; index < Math.min(INPUTS_A_ROOM, INPUTS - done); index++) {
          await room.attack(index);
          if (index % INPUTS_A_CHECK === INPUTS_A_CHECK - 1) await room.check();
        }
        await room.end();
        expect(ownOfPrototypes()).toEqual(prototypes);
      }
    } catch (error) {
      throw new Error(`SEED=${random.seed}`, { cause: error });
    }
  },
  120_000 + INPUTS * 20,
);
