import type { SourceMutation } from './source-mutation.ts';

const ENDPOINT = 'server/http/store-endpoint.ts';
const HELLO = 'server/room/answer-hello.ts';
const BODIES = 'server/room/waiting-bodies.ts';
const SLOTS = 'server/hosts/attachment-slots.ts';

/** The mutations of rules of the room that no history can show. */
export const ROOM_MUTATIONS: readonly SourceMutation[] = [
  {
    title: '[CLOSE-2] an onClose that does not end keeps a connection in the room',
    file: 'server/hosts/host-handlers.ts',
    text: 'stopWaiting = host.after(LONGEST_END_MILLISECONDS, () => this.#forget(connection));',
    replacement: '',
  },
  {
    title: '[CLOSE-2] what waits of a connection that has left does not count',
    file: 'server/room/peer.ts',
    text: "if (closedBy === 'room') {",
    replacement: "if (closedBy === 'room' || !this.#hasLeft) {",
  },
  {
    title: '[HOOK-5] a hook is called that no subclass overrides',
    file: 'server/writes/hooks.ts',
    text: "if (isMethod('canSetTable'))",
    replacement: 'if (server.canSetTable !== undefined)',
  },
  {
    title: '[HOOK-6] a hook that answers nothing allows',
    file: 'server/writes/hook-check.ts',
    text: 'isSettled ? allows(question[0], answer) : undefined',
    replacement: 'isSettled ? answer !== false : undefined',
  },
  {
    title: '[CORRECT-3] an object that was replaced stays replaced where a listener throws',
    file: 'server/writes/store-writer.ts',
    text: 'const restored = replaced && this.#restore(replaced);',
    replacement: 'const restored = undefined;',
  },
  {
    title: '[SEED-6] initial content of which nothing is there makes a Store',
    file: 'server/history/settlement.ts',
    text: 'if (log !== undefined && !this.#state.hasStore && showsAny(observed.store, asked)) {',
    replacement: 'if (log !== undefined && !this.#state.hasStore) {',
  },
  {
    title: '[SEED-7] a broadcast becomes the initial content',
    file: 'server/stock/broadcast-changes.ts',
    text: 'server.afterInitialContent(() => applyChanges(server.store, changes));',
    replacement: 'applyChanges(server.store, changes);',
  },
  {
    title:
      '[DURABLE-6] a connection hears what a crash may still undo, while a transaction of the app is open',
    file: 'server/hosts/held-frames.ts',
    text: 'if (held.close === undefined) held.frames.push(frame);',
    replacement: 'if (held.close === undefined) output.send(frame);',
  },
  {
    title: '[DURABLE-6] the frames of what was undone are sent',
    file: 'server/hosts/held-frames.ts',
    text: 'held.frames = [];',
    replacement: '',
  },
  {
    title: '[DURABLE-3] each push is tried on a storage that is full',
    file: 'server/history/write-failures.ts',
    text: 'if (this.#count < 2) return false;',
    replacement: 'if (this.#count < Infinity) return false;',
  },
  {
    title: '[DURABLE-6] what the room wrote is undone with a transaction of the app',
    file: 'server/hosts/own-storage.ts',
    text: 'if (isKept) return;',
    replacement: 'if (isKept || !isKept) return;',
  },
  {
    title: '[DURABLE-2] each commit has a row of its own',
    file: 'server/history/durability-gate.ts',
    text: 'if (last?.isSealed === false) last.entries.push(entry);',
    replacement: 'if (last === undefined && entry === undefined) return;',
  },
  {
    title: '[HTTP-1] a list of ETags, and a weak one, do not match',
    file: ENDPOINT,
    text: "if (isKnown(request.headers.get('If-None-Match'), headers.ETag)) {",
    replacement: "if (request.headers.get('If-None-Match') === headers.ETag) {",
  },
  {
    title: '[HTTP-2] a room that exists is created again',
    file: ENDPOINT,
    text: "if (outcome.type === 'exists') return respond(options, 205);",
    replacement: "if (outcome.type === 'exists') return respond(options, 201);",
  },
  {
    title: '[HTTP-4] a cache may keep an error',
    file: ENDPOINT,
    text: 'return respond(options, status, body, { ...UNCACHED, ...JSON_TYPE, ...challenge, ...pause });',
    replacement: 'return respond(options, status, body, { ...JSON_TYPE, ...challenge, ...pause });',
  },
  {
    title: '[HTTP-5] a cache may give the answer for one origin to another',
    file: 'server/http/cors.ts',
    text: "  headers.append('Vary', 'Origin');\n",
    replacement: '',
  },
  {
    title: '[HTTP-6] a host gets what a handler of the app has thrown',
    file: 'server/hosts/host-handlers.ts',
    text: "          report(error, 'handler');\n          return failure(request);",
    replacement: "          report(error, 'handler');\n          throw error;",
  },
  {
    title: '[HTTP-6] nobody hears what onMessage has thrown, where the host tells nobody',
    file: 'server/hosts/host-handlers.ts',
    text: "    this.#parts.report(error, 'handler');\n    throw error;",
    replacement: '    throw error;',
  },
  {
    title: '[FLOOD-1] many short texts weigh no more than one long one',
    file: 'protocol/frame.ts',
    text: 'return Math.max(frame.length, quotes * LENGTH_OF_QUOTE);',
    replacement: 'return Math.max(frame.length, quotes);',
  },
  {
    title: '[FLOOD-2] any number of messages of a connection may wait',
    file: 'server/room/waiting-frames.ts',
    text: 'if (waiting > 0 && waiting + messages > limits.waitingMessages) return false;',
    replacement: '',
  },
  {
    title: '[FLOOD-3] a catch-up costs nothing',
    file: HELLO,
    text: '(hello.cursor === undefined ? 0 : room.history.costSince(hello.cursor) / ANSWER_OF_ONE) +',
    replacement: '',
  },
  {
    title: '[FLOOD-4] a connection may be one client after the other',
    file: HELLO,
    text: '(isOtherClient ? limits.messageBurst * FURTHER_CLIENT : 0);',
    replacement: '0;',
  },
  {
    title: '[FLOOD-5] a room has as many connections as come',
    file: 'server/room/shared-limit.ts',
    text: "if (used >= limit) return 'full';",
    replacement: '',
  },
  {
    title: '[FLOOD-5] one user may have all connections of a room',
    file: 'server/room/shared-limit.ts',
    text: "? 'free' : 'share'",
    replacement: "? 'free' : 'free'",
  },
  {
    title: '[FLOOD-8] who connects again begins anew',
    file: 'server/room/allowance.ts',
    text: '(this.isBusy && this.#all.spent(now, all) > all.messageBurst)',
    replacement: 'false',
  },
  {
    title: '[JOIN-8] a stock peer that was being verified during a restore shows the old content',
    file: 'server/room/delivery.ts',
    text: 'for (const peer of this.#peers.all()) {',
    replacement: 'for (const peer of this.#peers.open()) {',
  },
  {
    title: '[FLOOD-1] a hello that is refused right after another one is never answered',
    file: 'server/room/delivery.ts',
    text: '} else if (!isStopped || isHello) {',
    replacement: '} else if (!isStopped) {',
  },
  {
    title: '[DERIVE-3] a default brings back a row that was deleted meanwhile',
    file: 'server/writes/without-deleted-rows.ts',
    text: 'target.wasDeletedSince(reactsTo, table, row)',
    replacement: 'false',
  },
  {
    title: '[DERIVE-3] a reaction that is ignored is refused by the schema, as an edit',
    file: 'server/history/settlement.ts',
    text: 'regarded === asked',
    replacement: 'regarded !== undefined',
  },
  {
    title: '[DERIVE-3] a room remembers all deletions, until its memory is full',
    file: 'server/history/recent-deletions.ts',
    text: 'if (this.#length <= HALF_LENGTH) return;',
    replacement: 'if (this.#length >= 0) return;',
  },
  {
    title: '[FLOOD-1] a hello that is refused unread is never answered',
    file: 'server/room/arrivals.ts',
    text: 'waiting?.onLost();\n      delivery.refuseFlood(peer, this.#isHello(data));',
    replacement: 'waiting?.onLost();\n      delivery.refuseFlood(peer);',
  },
  {
    title: '[FLOOD-1] of what is refused behind others, only the first frame may be a hello',
    file: 'server/room/delivery.ts',
    text: 'const hasHello = this.#refusedHellos.delete(peer);',
    replacement: 'const hasHello = isHello;',
  },
  {
    title: '[FLOOD-1] nobody is told of what is refused behind a frame that is dropped',
    file: 'server/room/turns.ts',
    text: '      this.drop();\n      this.afterwards?.();',
    replacement: '      this.drop();\n      if (isBegun) this.afterwards?.();',
  },
  {
    title: '[FLOOD-2] a hello for which too much waits is never answered',
    file: 'server/room/arrivals.ts',
    text: 'delivery.overload(peer, undefined, this.#isHello(data));',
    replacement: 'delivery.overload(peer);',
  },
  {
    title: '[LIMIT-4] who sends a body drop by drop keeps out others',
    file: BODIES,
    text: 'if (this.#bodies.size >= limits.waitingBodies && !this.#cutSlowest()) throw overloaded();',
    replacement: 'if (this.#bodies.size >= limits.waitingBodies) throw overloaded();',
  },
  {
    title: '[LIMIT-5] who holds most is closed for nothing',
    file: 'server/room/delivery.ts',
    text: 'if (larger.reduce((sum, { held }) => sum + held.free, 0) < excess) return false;',
    replacement: '',
  },
  {
    title: '[LIMIT-6] answers that are not read hold any number of contents',
    file: 'server/room/content-answers.ts',
    text: 'if (length <= limit || this.#contents.size === 1) return;',
    replacement: 'if (length > 0) return;',
  },
  {
    title: '[LIMIT-7] all contents are decoded at once',
    file: BODIES,
    text: 'while (this.#decoded >= MOST_DECODED)',
    replacement: 'while (this.#decoded >= MOST_DECODED * 100)',
  },
  {
    title: '[STOCK-6] nobody is told of Values that are left out',
    file: 'server/stock/stock-layout.ts',
    text: "if (typeof stored === 'string') onUnreadable?.(key);\n      continue;\n    }\n    yield { key, leaf, table: VALUES",
    replacement: 'continue;\n    }\n    yield { key, leaf, table: VALUES',
  },
  {
    title: '[CONNECTION-1] what the room attaches replaces the state of the app',
    file: SLOTS,
    text: 'this.#json === undefined ? rest : { ...rest, [SLOTS_KEY]: this.#json }',
    replacement: 'this.#json === undefined ? rest : { [SLOTS_KEY]: this.#json }',
  },
  {
    title: '[CONNECTION-2] a host without space is reported with each message',
    file: SLOTS,
    text: 'if (this.#isKept) this.#onError(this.#errorOf(cause));',
    replacement: 'this.#onError(this.#errorOf(cause));',
  },
];
