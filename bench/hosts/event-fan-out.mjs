// What an event, and a move of presence, to many listeners costs, divided by a bare broadcast in the same run: on `partykit dev`, or
// with `--object` on a Durable Object in the local runtime. The pairs are interleaved, and the medians compared, so that other load
// does as much to both. Other load also takes turns of the processor away, so the processor time of the server is compared, too.
// Usage: node bench/hosts/event-fan-out.mjs [--object] [LISTENERS...]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocket } from 'ws';

const EVENTS = 300;
/** Events on their way at once. */
const WINDOW = 8;
const PAIRS = 5;
const MOVES = 40;
/** Longer than the time between two frames of presence. */
const MOVE_MILLISECONDS = 40;

const isObject = process.argv.includes('--object');
const sizes = process.argv
  .slice(2)
  .filter((argument) => argument !== '--object')
  .map(Number);
const crowds = sizes.length > 0 ? sizes : [50, 200];

const probe = createServer().listen(0, '127.0.0.1');
await once(probe, 'listening');
const { port } = probe.address();
probe.close();
const folder = mkdtempSync(join(tmpdir(), 'event-fan-out-'));
const OBJECT = [
  'test/hosts/serve-worker.mjs',
  'bench/rooms/event-fan-out.ts',
  port,
  folder,
  'eventful=Eventful',
  'present=Present',
  'bare=Bare',
];
const PARTYKIT = [
  'node_modules/partykit/dist/bin.mjs',
  'dev',
  'bench/rooms/ours.ts',
  '--config=bench/rooms/partykit.json',
  `--port=${port}`,
  `--persist=${folder}`,
  '--disable-request-cf-fetch',
  '--no-hotkeys',
];
const server = spawn(process.execPath, isObject ? OBJECT : PARTYKIT, {
  detached: true,
  stdio: ['ignore', 'ignore', 'inherit'],
});
process.on('exit', () => {
  try {
    process.kill(-server.pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
  rmSync(folder, { recursive: true, force: true });
});
for (;;) {
  try {
    await fetch(`http://127.0.0.1:${port}`);
    break;
  } catch {
    await wait(100);
  }
}

/** Returns the processor time of the server and its children so far, in milliseconds; NaN where there is no `/proc`. */
const serverTime = () => {
  let ticks = 0;
  try {
    for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      let stat;
      try {
        stat = readFileSync(`/proc/${id}/stat`, 'utf8');
      } catch {
        continue; // It has ended.
      }
      // What follows the name, which is in brackets: proc(5).
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(fields[2]) === server.pid) ticks += Number(fields[11]) + Number(fields[12]);
    }
    return ticks * 10;
  } catch {
    return NaN;
  }
};

const open = async (party, room, id) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/parties/${party}/${room}?_pk=${id}`, {
    perMessageDeflate: false,
  });
  await once(socket, 'open');
  return socket;
};

/** Opens a sender and listeners, so many in all. */
const openAll = async (party, room, listeners) => {
  const sender = await open(party, room, 'sender');
  const others = [];
  while (others.length < listeners - 1)
    others.push(
      ...(await Promise.all(
        Array.from({ length: Math.min(20, listeners - 1 - others.length) }, (_, index) =>
          open(party, room, `listener${others.length + index}`),
        ),
      )),
    );
  return { sender, others };
};

/** Opens a room with so many listeners, and returns what sends the events and tells the milliseconds until all have all. */
const prepare = async (party, listeners) => {
  const { sender, others } = await openAll(party, `${party}-${listeners}`, listeners);
  let heard = 0;
  let onAll = () => undefined;
  const total = EVENTS * listeners;
  const hear = () => {
    heard += 1;
    if (heard === total) onAll();
  };
  for (const socket of others) socket.on('message', hear);
  let sent = 0;
  const send = () => {
    sent += 1;
    sender.send('v["wave"]');
  };
  sender.on('message', () => {
    hear();
    if (sent < EVENTS) send();
  });
  return async () => {
    heard = 0;
    sent = 0;
    const start = performance.now();
    const all = new Promise((resolve) => {
      onAll = resolve;
    });
    for (let count = 0; count < WINDOW; count += 1) send();
    await all;
    return performance.now() - start;
  };
};

/** Opens a room with so many people, and returns what moves one of them, and tells the median time until all others see it. */
const prepareMoves = async (party, listeners) => {
  const { sender, others } = await openAll(party, `moves-${party}-${listeners}`, listeners);
  let last = 0;
  let heard = 0;
  let onAll = () => undefined;
  const hear = (data) => {
    // A room tells only what has changed.
    if (!new RegExp(`"x":${last}[,}]`).test(String(data))) return;
    heard += 1;
    if (heard === others.length) onAll();
  };
  for (const socket of others) socket.on('message', hear);
  if (party !== 'bare') for (const socket of others) socket.send('r{"x":-1,"y":0}');
  // Until everybody has the full picture.
  await wait(2_000);
  return async () => {
    const times = [];
    for (let move = 0; move < MOVES; move += 1) {
      last += 1;
      heard = 0;
      const all = new Promise((resolve) => {
        onAll = resolve;
      });
      const start = performance.now();
      sender.send(`r{"x":${last},"y":0}`);
      await all;
      times.push(performance.now() - start);
      await wait(MOVE_MILLISECONDS);
    }
    return medianOf(times);
  };
};

const medianOf = (numbers) => numbers.toSorted((one, other) => one - other)[numbers.length >> 1];

/** Runs both in turns, and returns a row with their medians and the ratio of them. */
const compare = async (bare, ours, row) => {
  // The first runs compile the code.
  await bare();
  await ours();
  const times = { bare: [], ours: [] };
  const used = { bare: 0, ours: 0 };
  const measure = async (name, run) => {
    const start = serverTime();
    times[name].push(await run());
    used[name] += serverTime() - start;
  };
  for (let pair = 0; pair < PAIRS; pair += 1) {
    await measure('bare', bare);
    await measure('ours', ours);
  }
  const [bareTime, ourTime] = [medianOf(times.bare), medianOf(times.ours)];
  return {
    ...row(bareTime, ourTime),
    ratio: Number((ourTime / bareTime).toFixed(2)),
    'ratio of processor time': Number((used.ours / used.bare).toFixed(2)),
  };
};

const events = [];
const moves = [];
for (const listeners of crowds) {
  events.push(
    await compare(
      await prepare('bare', listeners),
      await prepare('eventful', listeners),
      (bare, ours) => ({
        listeners,
        'bare events/s': Math.round((EVENTS / bare) * 1000),
        'events/s': Math.round((EVENTS / ours) * 1000),
      }),
    ),
  );
  moves.push(
    await compare(
      await prepareMoves('bare', listeners),
      await prepareMoves('present', listeners),
      (bare, ours) => ({
        listeners,
        'bare ms': Number(bare.toFixed(2)),
        'presence ms': Number(ours.toFixed(2)),
      }),
    ),
  );
}
console.table(events);
console.table(moves);
process.exit();
