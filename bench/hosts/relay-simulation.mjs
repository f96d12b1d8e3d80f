// How fast commits reach everybody, with one room and with relay rooms below it: docs/scale.md.
// A room is one queue with one server; what it costs to take a commit and to send it once are measured, by fan-out.mjs.
// Usage: node bench/hosts/relay-simulation.mjs [SEED]

/** Processor time of a room, in milliseconds. */
const TAKE_MILLISECONDS = 0.75;
const SEND_MILLISECONDS = 0.025;
/** From one object to another, and from an object to a client: on average, exponential above half of it. */
const HOP_MILLISECONDS = 10;
const LAST_HOP_MILLISECONDS = 30;
const COMMITS = 5000;
/** Busier than this, queues grow long. */
const COMFORTABLE = 0.7;

const seed = Number(process.argv[2] ?? 1);

/** Mulberry32: the same numbers for a seed everywhere. */
function createRandom(from) {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const serviceOf = (connections) => TAKE_MILLISECONDS + SEND_MILLISECONDS * connections;

/** How long it takes from a commit's arrival at the first room until clients have it. */
function simulate({ clients, relays, commitsPerSecond }) {
  const random = createRandom(seed);
  const exponential = (mean) => -Math.log(1 - random()) * mean;
  const hop = (mean) => mean / 2 + exponential(mean / 2);
  const below = relays === 0 ? clients : Math.ceil(clients / relays);
  const rootService = serviceOf(relays === 0 ? clients : relays);
  const relayService = serviceOf(below);
  // All relays are alike: a few of them tell what all do.
  const watched = Array.from({ length: Math.min(relays, 20) }, () => ({ freeAt: 0, lastAt: 0 }));
  const latencies = [];
  let now = 0;
  let rootFreeAt = 0;
  for (let commit = 0; commit < COMMITS; commit++) {
    now += exponential(1000 / commitsPerSecond);
    const start = Math.max(now, rootFreeAt);
    rootFreeAt = start + rootService;
    if (relays === 0) {
      latencies.push(start + rootService * random() + hop(LAST_HOP_MILLISECONDS) - now);
      continue;
    }
    for (const relay of watched) {
      // Frames of one connection arrive in order.
      relay.lastAt = Math.max(relay.lastAt, start + rootService * random() + hop(HOP_MILLISECONDS));
      const taken = Math.max(relay.lastAt, relay.freeAt);
      relay.freeAt = taken + relayService;
      latencies.push(taken + relayService * random() + hop(LAST_HOP_MILLISECONDS) - now);
    }
  }
  latencies.sort((one, other) => one - other);
  const at = (share) => Math.round(latencies[Math.floor(latencies.length * share)]);
  const busiest = Math.max(rootService, relays === 0 ? 0 : relayService);
  return {
    clients,
    relays,
    'commits/s': commitsPerSecond,
    'busy %': Math.round((busiest * commitsPerSecond) / 10),
    'p50 ms': at(0.5),
    'p99 ms': at(0.99),
    'most commits/s': Math.floor((COMFORTABLE * 1000) / busiest),
  };
}

const rows = [];
for (const clients of [100, 300, 1000, 3000, 10_000, 100_000]) {
  const best = Math.ceil(Math.sqrt(clients));
  for (const relays of [0, 10, best]) {
    for (const commitsPerSecond of [5, 20, 50]) {
      const row = simulate({ clients, relays, commitsPerSecond });
      rows.push(row['busy %'] < 100 ? row : { ...row, 'p50 ms': '–', 'p99 ms': '–' });
    }
  }
}
console.table(rows);
