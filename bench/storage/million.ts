import { ChangesBuilder } from '../../src/protocol/changes.ts';
import { startParty } from '../../test/support/party.ts';
import { until } from '../../test/support/until.ts';
import { contentOf } from '../support/content.ts';
import { assert, note, timed } from '../support/measure.ts';
import { RoomClient } from '../support/room-socket.ts';

const CELLS = 1_000_000;

/** A room of a million cells on a real `partykit dev`: is seeded, served, edited, checkpointed, and there after a crash. */
export async function measureMillion(): Promise<void> {
  const party = await startParty({
    entry: 'bench/rooms/ours.ts',
    config: 'bench/rooms/partykit.json',
  });
  try {
    console.log(`\nA room of ${CELLS} cells on partykit dev`);
    const url = party.room('million');
    const body = JSON.stringify(contentOf(CELLS));
    let status = 0;
    const took = await timed(async () => {
      ({ status } = await fetch(`${url}/store`, { method: 'PUT', body }));
    });
    assert(status === 201, `the PUT was answered with ${status}`);
    note(`PUT of ${(body.length / 1024 / 1024).toFixed(1)} MiB: ${took.toFixed(0)} ms`);
    const get = async (): Promise<string> => await (await fetch(`${url}/store`)).text();
    note(`GET: ${(await timed(get)).toFixed(0)} ms`);

    const client = await RoomClient.open(url);
    const edit = async (changes: ChangesBuilder): Promise<number> => {
      const frame = client.frameOf(changes);
      return await timed(() => {
        const acked = client.nextMessage((message) => message.type === 'ack');
        client.socket.send(frame);
        return acked;
      });
    };
    const latencies: number[] = [];
    for (let index = 0; index < 100; index += 1) {
      latencies.push(await edit(setting([index * 997], `edit ${index}`)));
    }
    const sorted = latencies.toSorted((a, b) => a - b);
    note(`100 edits: median ${sorted[50]?.toFixed(2)} ms, p99 ${sorted[99]?.toFixed(2)} ms`);

    await fetch(`${url}/hold`);
    const text = 'x'.repeat(300);
    const snapshotVersion = async (): Promise<number> => {
      const { version } = (await (await fetch(`${url}/snapshot`)).json()) as { version: number };
      return version;
    };
    // Until the log is about as large as the snapshot, and all pages have changed.
    let row = 0;
    for (let sent = 0; sent < body.length * 0.93; sent += 500 * 340) {
      const rows = Array.from({ length: 500 }, () => (row = (row + 7_919) % (CELLS / 10)));
      await edit(setting(rows, text));
    }
    assert((await snapshotVersion()) === 1, 'the checkpoint began too early');
    await fetch(`${url}/hold`);
    let longest = 0;
    let edits = 0;
    const began = performance.now();
    while ((await snapshotVersion()) === 1) {
      const rows = Array.from({ length: 20 }, () => (row = (row + 7_919) % (CELLS / 10)));
      longest = Math.max(longest, await edit(setting(rows, text)));
      edits += 1;
      assert(performance.now() - began < 60_000, 'no checkpoint comes');
    }
    const { held } = (await (await fetch(`${url}/hold`)).json()) as { held: number };
    note(
      `a checkpoint of all pages, with ${edits} edits before and beside it: one took ${longest.toFixed(1)} ms at most; ` +
        `the room was held ${held} ms at most`,
    );
    const before = await get();
    await party.kill9();
    await party.restart();
    let after = '';
    const started = await until('the room to be back', async () => {
      const time = await timed(async () => {
        after = await get();
      });
      return time;
    });
    assert(sameContent(before, after), 'the room came back as another one');
    note(`GET after a kill -9, with the load: ${started.toFixed(0)} ms`);
  } finally {
    await party.stop();
  }
}

function setting(rows: readonly number[], text: string): ChangesBuilder {
  const changes = new ChangesBuilder();
  for (const row of rows) changes.setLeaf('rows', `row ${row}`, 'cell 0', text);
  return changes;
}

function sameContent(one: string, other: string): boolean {
  const [left, right] = [one, other].map((text) => JSON.parse(text)[0].rows);
  const ids = Object.keys(left);
  return (
    ids.length === Object.keys(right).length &&
    ids.every((id) => JSON.stringify(left[id]) === JSON.stringify(right[id]))
  );
}
