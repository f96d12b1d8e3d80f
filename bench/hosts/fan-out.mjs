// What a commit costs a room with many connections, on a Durable Object in the local runtime.
// Processor time is that of the runtime's process alone (Linux), so that other load does little to it.
// Usage: node bench/hosts/fan-out.mjs [CONNECTIONS...]
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { WebSocket } from 'ws';

const TICKS_PER_SECOND = 100;
const COMMITS = 300;
/** Pushes on their way at once: 1 is a person, 32 a crowd whose commits share rows. */
const WINDOWS = [1, 32];

const sizes = process.argv.slice(2).map(Number);
const crowds = sizes.length > 0 ? sizes : [1, 10, 100, 300, 1000];

const probe = createServer().listen(0, '127.0.0.1');
await once(probe, 'listening');
const { port } = probe.address();
probe.close();
const folder = mkdtempSync(join(tmpdir(), 'fan-out-'));
const server = spawn(
  process.execPath,
  [
    'test/hosts/serve-worker.mjs',
    'test/hosts/fixtures/durable-object.ts',
    port,
    folder,
    'main=Main',
  ],
  { detached: true, stdio: 'inherit' },
);
const stop = () => {
  try {
    process.kill(-server.pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
  rmSync(folder, { recursive: true, force: true });
};
process.on('exit', stop);

const origin = `http://127.0.0.1:${port}`;
for (;;) {
  try {
    await fetch(origin);
    break;
  } catch {
    await wait(100);
  }
}

const statOf = (pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
const runtime = readdirSync('/proc').find(
  (pid) =>
    /^\d+$/.test(pid) &&
    Number(statOf(pid)[1]) === server.pid &&
    readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('workerd'),
);
const processorMilliseconds = () => {
  const stat = statOf(runtime);
  return ((Number(stat[11]) + Number(stat[12])) * 1000) / TICKS_PER_SECOND;
};
const residentMebibytes = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${runtime}/status`, 'utf8'))[1]) / 1024;

/** A frame has several messages if the room sent them together. */
const messagesOf = (frame) => frame.toString().split('\n');
let clientNumber = 0;
const joinRoom = async (room, cursor) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/parties/main/${room}`, {
    perMessageDeflate: false,
  });
  await once(socket, 'open');
  const client = String(clientNumber++).padStart(22, 'c');
  const welcome = once(socket, 'message');
  socket.send(
    `h${JSON.stringify({ protocol: 1, client, generation: 1, cursor, next: 1, acked: 0 })}`,
  );
  const [frame] = await welcome;
  if (frame.toString()[0] !== 'w') throw new Error(`No welcome: ${frame}`);
  return socket;
};

const rows = [];
for (const crowd of crowds) {
  const room = `crowd-${crowd}`;
  const url = `${origin}/parties/main/${room}/store`;
  await fetch(url, { method: 'PUT', body: '[{"t":{"r":{"c":0}}},{}]' });
  const [, epoch, version] = /"(.*)\.(\d+)"/.exec((await fetch(url)).headers.get('ETag'));
  const before = residentMebibytes();
  const sockets = [];
  while (sockets.length < crowd)
    sockets.push(
      ...(await Promise.all(
        Array.from({ length: Math.min(20, crowd - sockets.length) }, () =>
          joinRoom(room, [epoch, Number(version)]),
        ),
      )),
    );
  await wait(500);
  const perConnection = ((residentMebibytes() - before) * 1024) / crowd;
  const [writer, ...readers] = sockets;
  let delivered = 0;
  for (const reader of readers)
    reader.on('message', (frame) => {
      for (const message of messagesOf(frame)) if (message[0] === 'c') delivered += 1;
    });
  let sent = 0;
  for (const window of WINDOWS) {
    const latencies = [];
    const sentAt = new Map();
    const push = () => {
      sent += 1;
      sentAt.set(sent, performance.now());
      writer.send(`p[${sent},[{"t":{"r${sent % 50}":{"c":${sent}}}},{}]]`);
    };
    delivered = 0;
    const last = sent + COMMITS;
    const processor = processorMilliseconds();
    const start = performance.now();
    await new Promise((resolve) => {
      const take = (message) => {
        if (message[0] !== 'a') return;
        const [number] = JSON.parse(message.slice(1));
        latencies.push(performance.now() - sentAt.get(number));
        if (sent < last) push();
        else if (latencies.length === COMMITS) {
          writer.off('message', hear);
          resolve();
        }
      };
      const hear = (frame) => {
        for (const message of messagesOf(frame)) take(message);
      };
      writer.on('message', hear);
      for (let number = 0; number < window; number++) push();
    });
    const milliseconds = performance.now() - start;
    while (delivered < COMMITS * readers.length) await wait(5);
    const used = processorMilliseconds() - processor;
    latencies.sort((one, other) => one - other);
    rows.push({
      connections: crowd,
      window,
      'commits/s': Math.round((COMMITS / milliseconds) * 1000),
      'ack p50 ms': Number(latencies[COMMITS >> 1].toFixed(1)),
      'ack p99 ms': Number(latencies[Math.floor(COMMITS * 0.99)].toFixed(1)),
      'CPU ms/commit': Number((used / COMMITS).toFixed(2)),
      'KiB/connection': Math.round(perConnection),
    });
  }
  for (const socket of sockets) socket.terminate();
  await wait(300);
}
console.table(rows);
process.exit();
