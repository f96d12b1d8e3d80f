import type { SourceMutation } from './source-mutation.ts';

const STATE = 'client/session/session-state.ts';
const MESSAGES = 'client/session/session-messages.ts';
const LOADING = 'client/session/session-loading.ts';
const SESSION = 'client/session/sync-session.ts';
const SOCKET = 'client/session/room-socket.ts';
const FOLD = 'client/session/store-fold.ts';
const CHANNEL = 'client/platform/channel.ts';
const PERSISTER = 'client/partykit-persister.ts';
const QUEUE = 'client/session/event-queue.ts';
const SENDER = 'client/session/push-sender.ts';
const AIMS = 'client/replica/aims.ts';
const OVERLAY = 'client/replica/overlay.ts';
const REPLICA = 'client/replica/replica.ts';
const WRITER = 'client/offline/record-writer.ts';
const STORED = 'client/offline/stored-record.ts';
const HEAD = 'client/offline/head-guard.ts';
const DEVICE = 'client/offline/record-storage.ts';
const HELD = 'client/offline/held-entry.ts';
const OUTBOX = 'client/offline/durable-outbox.ts';
const HANDOVER = 'client/session/handover.ts';
const OBSERVER = 'client/features/undo/undo-observer.ts';

/** The mutations of rules of the client that no history can show. */
export const SESSION_MUTATIONS: readonly SourceMutation[] = [
  {
    title: '[DERIVE-3] a client tells the version of another history',
    file: REPLICA,
    text: '({ ...push, reactsTo: undefined })',
    replacement: 'push',
  },
  {
    title: '[DERIVE-3] the app is told of a reaction that the room has ignored',
    file: FOLD,
    text: "reason !== 'too-large' && !isIgnored",
    replacement: "reason !== 'too-large' && isIgnored !== 0",
  },
  {
    title: '[JOIN-4] a client never goes above a generation that it has lost',
    file: MESSAGES,
    text: '? resync({ ...state, generation })',
    replacement: '? stay(state)',
  },
  {
    title: '[JOIN-4] a session begins with the generation that its record tells',
    file: HANDOVER,
    text: 'Math.max(former.generation, claim.generation)',
    replacement: 'former.generation',
  },
  {
    title: '[JOIN-5] a client stops because one before it on its socket was replaced',
    file: MESSAGES,
    text: "if (code === 'replaced' && !isWelcome) return stay(state);",
    replacement: '',
  },
  {
    title: '[JOIN-12] an edit that was due while the socket was pointed elsewhere is never sent',
    file: SESSION,
    text: '      sender.flush();\n    },\n    alive:',
    replacement: '    },\n    alive:',
  },
  {
    title: '[OFFLINE-1] the lock of a session that has ended is not handed on',
    file: OUTBOX,
    text: 'isTakenRecord(handed) && handed.writer.hasLock ? handed : undefined;',
    replacement: 'undefined;\n    void isTakenRecord(handed);',
  },
  {
    title: '[OFFLINE-1] a session whose device has its edits leaves them in memory, too',
    file: WRITER,
    text: 'if (!record.isKept) return { client };',
    replacement: 'return { client };',
  },
  {
    title: '[OFFLINE-1] pushes that were sent are sent again as another client',
    file: WRITER,
    text: 'Math.max(record.durablePush, client.lastSent)',
    replacement: 'record.durablePush',
  },
  {
    title: '[OFFLINE-1] held edits of which the device has a part stay there and in memory',
    file: WRITER,
    text: 'if (isPart && !isLost && !(await this.#storage.removeHeld()))',
    replacement: 'if (isPart && recordId === undefined)',
  },
  {
    title:
      '[OFFLINE-1] [DERIVE-1] reactions of a session that has ended are sent as edits of the user',
    file: WRITER,
    text: 'record.lacking(this.#client(), last, true, isLost)',
    replacement: 'record.lacking(this.#client(), last, false, isLost)',
  },
  {
    title: '[OFFLINE-1] held edits that the device has are reported when it is full later',
    file: HELD,
    text: 'return isEmptyChanges(this.lackOf(held, false));',
    replacement: 'return held === undefined;',
  },
  {
    title:
      '[OFFLINE-6] a new client id that a full device did not take is not written by the next session',
    file: OUTBOX,
    text: 'if (client.clientId !== clientId) record.writer.rename(client.clientId);',
    replacement: '',
  },
  {
    title:
      '[OFFLINE-1] a session that goes on with the writer of the one before removes no answered push',
    file: WRITER,
    text: '    this.#cancelBase = undefined;\n    this.#isBaseDue = true;\n    // Somebody',
    replacement: '    this.#isBaseDue = true;\n    // Somebody',
  },
  {
    title: '[OFFLINE-5] the next session sends edits that were not moved from their record',
    file: WRITER,
    text: 'this.#hasFailed && !this.#record.isRemoved ? this.#record.moves.without(client) : client;',
    replacement: 'client;',
  },
  {
    title: '[OFFLINE-13] a page that ends keeps nothing of the session before, which still writes',
    file: OUTBOX,
    text: '    this.#record?.writer.saveLast();\n',
    replacement: '    if (isLive) this.#record?.writer.saveLast();\n',
  },
  {
    title: '[JOIN-6] content is shown at once, though pushes may be in it',
    file: LOADING,
    text: 'if (!isStock && facts.hasPending && facts.oldestUnanswered <= facts.everSent)',
    replacement:
      'if (!isStock && isLoadingOnce && facts.hasPending && facts.oldestUnanswered <= facts.everSent)',
  },
  {
    title: '[JOIN-12] a client leaves its room within a transaction',
    file: FOLD,
    text: 'return replica.readBase() !== undefined;',
    replacement: 'return true;',
  },
  {
    title:
      '[JOIN-12] a client that has not left its room yet takes the socket to another one for its own',
    file: SOCKET,
    text: 'socket.isOpen() && !isAway()',
    replacement: 'socket.isOpen()',
  },
  {
    title:
      '[JOIN-12] a client says hello in a room from which the socket was pointed away on its way there',
    file: CHANNEL,
    text: 'if (isElsewhere(connection)) {',
    replacement: 'if (isElsewhere(connection) && isStopped) {',
  },
  {
    title:
      '[JOIN-12] a persister says hello in the room from which its socket was pointed away before it was created',
    file: CHANNEL,
    text: 'connection.readyState === OPEN && isElsewhere(connection)',
    replacement: 'connection.readyState !== OPEN && isElsewhere(connection)',
  },
  {
    title: '[JOIN-12] a socket that is pointed back without a new connection is forgotten',
    file: SESSION,
    text: 'else if (socket.isConnected()) backoff.retry();',
    replacement: '',
  },
  {
    title: '[JOIN-12] a token of the other room goes to the old one',
    file: PERSISTER,
    text: 'if (room === connection.roomUrl) query',
    replacement: 'query',
  },
  {
    title: '[SEED-2] what a schema makes of initial content stays here',
    file: REPLICA,
    text: 'isSeed && log !== undefined,',
    replacement: 'isSeed && log === undefined,',
  },
  {
    title: '[OFFLINE-1] edits that a busy Store has not taken are left to nobody',
    file: HANDOVER,
    text: '        restore({ client: former }, false);\n',
    replacement: '',
  },
  {
    title: '[KEEP-3] the held edits of a record that was read and cannot be shown yet are removed',
    file: WRITER,
    text: ' || !this.#owner.isContinued()',
    replacement: '',
  },
  {
    title: '[FRAME-3] a socket that closes while the Store is busy is still pinged',
    file: SESSION,
    text: '      heartbeat.stop();\n      // "Message too big"',
    replacement: '      // "Message too big"',
  },
  {
    title: '[GATE-13] a refused client begins again without a pause',
    file: STATE,
    text: 'return beginAnew(state);',
    replacement: "return load(state, 'reconnect');",
  },
  {
    title: '[SEED-8] a client whose content nobody takes waits before it goes on',
    file: LOADING,
    text: "...actions, 'reset-retry');",
    replacement: '...actions);',
  },
  {
    title: '[JOIN-10] content that was too old is loaded again without a pause',
    file: LOADING,
    text: "if (state.reloads >= SUSPICIOUS) return to(state, LOADING, 'forget', 'retry-later');",
    replacement: 'if (state.reloads >= SUSPICIOUS) return load(state);',
  },
  {
    title: '[LOCAL-2] what a listener made of a push stays when the room has refused the push',
    file: REPLICA,
    text: "origin: mayBeSent ? 'derived' : 'reaction' }",
    replacement: "origin: mayBeSent ? 'derived' : 'edit' }",
  },
  {
    title: '[LOCAL-2] the defaults of a row stay when nothing else of it is shown',
    file: AIMS,
    text: 'overlay?.isLeftover(table, row, cell))',
    replacement: 'false)',
  },
  {
    title: '[LOCAL-2] a row ends in which an edit is pending below what the Store made of it',
    file: OVERLAY,
    text: 'cover.base === undefined && cover.writes.length === 0',
    replacement: 'cover.base === undefined',
  },
  {
    title: '[OFFLINE-6] a restart begins with the generation in its record',
    file: OUTBOX,
    text: 'generation: Math.max(head?.generation ?? 0, time),',
    replacement: 'generation: head?.generation ?? 0,',
  },
  {
    title: '[OFFLINE-8] edits that were cleared count as kept when their client ends',
    file: WRITER,
    text: 'if (isGone && !isLost) record.removed();',
    replacement: '',
  },
  {
    title: '[KEEP-1] each write has all held edits',
    file: HELD,
    text: 'if (isSame && this.#laterLength < Math.max(PAGE_LENGTH, this.#firstLength)) {',
    replacement: 'if (isSame && held === undefined) {',
  },
  {
    title: '[KEEP-1] held edits of one cell fill the device',
    file: HELD,
    text: 'if (isSame && this.#laterLength < Math.max(PAGE_LENGTH, this.#firstLength)) {',
    replacement: 'if (isSame) {',
  },
  {
    title: '[KEEP-1] held edits that became one entry are still there as several',
    file: HELD,
    text: 'if (this.#mayBeStored) remove.push(this.#key);',
    replacement: 'if (held === undefined) remove.push(this.#key);',
  },
  {
    title: '[OFFLINE-13] older held edits lie on top of the last ones of a page',
    file: STORED,
    text: 'if (held !== undefined || set.size > 0) remove.push(key);',
    replacement: 'if (held === undefined && set.size > 0) remove.push(key);',
  },
  {
    title: '[OFFLINE-7] a full device keeps held edits that were sent',
    file: WRITER,
    text: 'if (!this.#record.held.mayBeStored || this.#client().held !== undefined) return;',
    replacement: 'if (this.#record.held.mayBeStored || this.#hasFailed) return;',
  },
  {
    title: '[ONCE-7] the limit of pushes that the room tells is not heeded',
    file: SENDER,
    text: '      replica.limitPushes(limits.pushBytes);\n',
    replacement: '',
  },
  {
    title: '[PART-1] a client sends all parts, and waits for no receipt',
    file: SENDER,
    text: '(rest ? MOST_PARTS_AHEAD * partLength : 1)',
    replacement: '(rest ? Infinity : 1)',
  },
  {
    title: '[PART-4] a client goes on with frames that are too large for something between',
    file: 'client/session/sync-session.ts',
    text: 'if (code === 1009) sender.halve();',
    replacement: '',
  },
  {
    title: '[PART-5] a push for which no connection lasts is sent again for ever',
    file: SENDER,
    text: 'if (cuts >= MOST_CUTS) {',
    replacement: 'if (cuts < 0) {',
  },
  {
    title: '[PART-6] a push at which something cuts each connection is sent whole for ever',
    file: SENDER,
    text: 'const isWhole = isOrdinary || isEmptyChanges(push.changes);',
    replacement: 'const isWhole = fitsFrame;',
  },
  {
    title: '[PART-6] a push is given up while the server crashes again and again',
    file: SENDER,
    text: 'if (!isOrdinary && !isCalm) return;',
    replacement: '',
  },
  {
    title: '[PART-7] a push at which the room dies is sent again for ever',
    file: SENDER,
    text: 'if (!isInDoubt(number)) {\n      upload',
    replacement: '{\n      upload',
  },
  {
    title: '[PART-7] other pushes are on their way when the room dies at one',
    file: SENDER,
    text: 'isInDoubt(oldestUnanswered) ? 1 : ',
    replacement: '',
  },
  {
    title: '[PART-7] pushes behind one that was answered are not in doubt any more',
    file: SENDER,
    text: 'if (losses <= MOST_LOSSES) lost = sent;',
    replacement: 'lost = sent;',
  },
  {
    title: '[PART-7] all pushes of a page come into doubt together, and go one at a time',
    file: SENDER,
    text: 'MOST_IN_FLIGHT >> (2 * losses)',
    replacement: 'MOST_IN_FLIGHT',
  },
  {
    title: '[PART-7] a doubt lasts until something is lost again',
    file: SENDER,
    text: 'if (oldestUnanswered > lost) losses = 0;',
    replacement: '',
  },
  {
    title: '[PART-7] a push pays for the one before it',
    file: SENDER,
    text: 'upload = undefined;\n    cuts = 0;\n  };',
    replacement: 'upload = undefined;\n  };',
  },
  {
    title: '[PART-7] a pong right behind the answer looks like a loss',
    file: SENDER,
    text: '    forgetAnswered();\n    return upload',
    replacement: '    return upload',
  },
  {
    title: '[PART-7] a push at which the room hangs is sent again for ever',
    file: SENDER,
    text: 'if (upload?.sent === upload?.json.length) closed(false);',
    replacement: '',
  },
  {
    title: '[PART-7] a push is given up because the line is slow',
    file: SENDER,
    text: 'if (upload?.sent === upload?.json.length) closed(false);',
    replacement: 'closed(false);',
  },
  {
    title:
      '[PART-7] the last part goes before the receipts: whoever is behind seems to be at fault',
    file: SENDER,
    text: '(rest ? MOST_PARTS_AHEAD * partLength : 1)',
    replacement: 'MOST_PARTS_AHEAD * (rest ? partLength : 0)',
  },
  {
    title: '[PART-7] with a full disk, each client ends the room as soon as it runs',
    file: SENDER,
    text: 'if (!isOrdinary && !isCalm) return;',
    replacement: 'if (!isOrdinary && !isCalm && !isEmptyChanges(push.changes)) return;',
  },
  {
    title: '[PART-7] all clients in doubt send at the same time',
    file: SENDER,
    text: 'CALM_MILLISECONDS * (1 + random())',
    replacement: 'CALM_MILLISECONDS',
  },
  {
    title: '[PART-6] parts that are swallowed are sent for ever',
    file: SENDER,
    text: 'if (lacksReceipt()) cut();',
    replacement: '',
  },
  {
    title: '[PART-6] parts stay too large for something between',
    file: SENDER,
    text: 'mostOfPart = Math.max(LEAST_PART, mostOfPart / 2);',
    replacement: 'mostOfPart = PART_LENGTH;',
  },
  {
    title: '[PART-2] a second ping counts parts that were sent after the first',
    file: SENDER,
    text: 'if (upload !== undefined && heartbeat.pinged() === undefined)',
    replacement: 'if (upload !== undefined)',
  },
  {
    title: '[SEED-5] an edit from before the start is forgotten without a word',
    file: 'client/replica/early-edits.ts',
    text: ": refusalsOfReplaced(changes, content, 'before-start', isEdited);",
    replacement: ': [];',
  },
  {
    title: '[VIEW-9] held edits that content has replaced are not reported',
    file: REPLICA,
    text: "this.#events.onRefused(refusalsOfReplaced(held, replacement, 'loaded'));",
    replacement: '',
  },
  {
    title: '[LIMIT-3] an ack that refuses a push as too large is folded',
    file: 'client/session/store-fold.ts',
    text: "if (correction === undefined || reason === 'too-large') replica.acknowledge();",
    replacement: 'if (correction === undefined) replica.acknowledge();',
  },
  {
    title: '[FLOOD-6] a client does not count its hello',
    file: 'client/session/send-budget.ts',
    text: 'count: () => add(1),',
    replacement: 'count: () => undefined,',
  },
  {
    title: '[FLOOD-6] a client counts its hellos until it sends a push',
    file: 'client/session/send-budget.ts',
    text: 'count: () => add(1),',
    replacement: 'count: () => void (spent += 1),',
  },
  {
    title: '[FLOOD-6] a client does not count its hellos for clients that have ended',
    file: 'client/session/sync-session.ts',
    text: 'sender.answered();\n        if (outbox.heard?.(message)) return;',
    replacement: 'if (outbox.heard?.(message)) return;\n        sender.answered();',
  },
  {
    title: '[FLOOD-6] a client sends as fast as its app edits',
    file: 'client/session/send-budget.ts',
    text: 'isWaiting = spent > 0 && spent + cost > mostSpent();',
    replacement: 'isWaiting = spent > 0 && spent + cost > mostSpent() * 10;',
  },
  {
    title: '[UNDO-1] an edit from before the start makes no step',
    file: REPLICA,
    text: 'this.#early.add(changes);\n      this.#events.onPending();',
    replacement: 'this.#early.add(changes);\n      this.#events.onPending();\n      return;',
  },
  {
    title: '[UNDO-2] an undo makes no step for the redo',
    file: OBSERVER,
    text: 'if (isBackward) steps.addForward(back);',
    replacement: 'if (isBackward) writes.release(back);',
  },
  {
    title: '[UNDO-5] the default that the room gave to a new row stays when that is undone',
    file: OBSERVER,
    text: 'correcting: (push, correction) => recorder.give(push, correction),',
    replacement: 'correcting: () => undefined,',
  },
  {
    title: '[UNDO-5] the default that the room gave to a new row goes without the row',
    file: 'client/features/undo/step.ts',
    text: 'if (left.every(isGiven))',
    replacement: 'if (left.some(isGiven))',
  },
  {
    title: '[UNDO-5] the default of a row goes with an edit that did not make the row',
    file: 'client/features/undo/step.ts',
    text: ' && write.push >= firstPush',
    replacement: '',
  },
  {
    title: '[UNDO-5] the undo of a deletion leaves out what the room gave to the row meanwhile',
    file: 'client/features/undo/reconciler.ts',
    text: 'if (!isCovered && room',
    replacement: 'if (isTheirs && !isCovered && room',
  },
  {
    title:
      '[UNDO-5] what the room gave to a row that was made anew takes the row before out of its step',
    file: 'client/features/undo/beneath.ts',
    text: 'if (former.at(-1)?.after !== before) this.#writes.end(',
    replacement: 'this.#writes.end(',
  },
  {
    title: '[UNDO-5] a row whose deletion had no answer does not come back',
    file: 'client/features/undo/reconciler.ts',
    text: 'if (!writes.every((write) => isBefore(write) || write.after !== undefined)) continue;',
    replacement: '',
  },
  {
    title: '[UNDO-5] a Cell that was edited before and after its row was made anew has no default',
    file: 'client/features/undo/recorder.ts',
    text: '(write: OwnWrite): boolean => write.push === push;',
    replacement:
      '({ firstPush, push: last }: OwnWrite): boolean => firstPush <= push && last >= push;',
  },
  {
    title: '[UNDO-3] what others set while it is not shown counts only where nothing is covered',
    file: 'client/features/undo/reconciler.ts',
    text: 'if (!isShown) changes',
    replacement: 'if (aims.isEmpty) changes',
  },
  {
    title:
      '[UNDO-5] a row that is deleted while that is not shown counts only where nothing is covered',
    file: 'client/features/undo/reconciler.ts',
    text: 'changes?.deletedRows.size ?',
    replacement: 'changes?.deletedRows.size && aims.isEmpty ?',
  },
  {
    title: '[UNDO-6] an edit that stayed here ends the steps beneath it',
    file: 'client/features/undo/recorder.ts',
    text: 'const push = isLocal ? LOCAL : held',
    replacement: 'const push = held',
  },
  {
    title: '[UNDO-5] an undo brings back a part of a row that others have deleted',
    file: 'client/features/undo/reconciler.ts',
    text: '(push !== LOCAL || overlay.get(table, row, cell)?.local === undefined)',
    replacement: 'push !== LOCAL',
  },
  {
    title: '[UNDO-6] an undo goes back to a leaf that nothing can show again',
    file: 'client/features/undo/recorder.ts',
    text: 'isUnsendableLeaf(before)) {',
    replacement: 'false) {',
  },
  {
    title:
      '[UNDO-6] an undo goes back no further than a refused edit that another undo has put back',
    file: 'client/features/undo/step.ts',
    text: 'forEach(({ before }, ...at) => {\n      if (writes.of(...at).at(-1)?.after === readLeaf(store, ...at))',
    replacement:
      'forEach(({ before, after }, ...at) => {\n      if (readLeaf(store, ...at) === after)',
  },
  {
    title: '[UNDO-6] a merged step is gone if the room refuses the last of its edits',
    file: 'client/features/undo/reconciler.ts',
    text: ': write.firstPush < oldest.push;',
    replacement: ': false;',
  },
  {
    title: '[UNDO-6] an undo puts back a refused edit that another one covers',
    file: 'client/features/undo/own-writes.ts',
    text: 'if (next?.push === LOCAL) this',
    replacement: 'if (next?.push === Infinity) this',
  },
  {
    title: '[UNDO-5] a step that has made a row and deleted it brings back the default',
    file: 'client/features/undo/step.ts',
    text: "this.#merged.get(table, row, '') ?? Infinity;",
    replacement: 'Infinity;',
  },
  {
    title: '[UNDO-5] what the room adds to a row that was there counts as given to a new one',
    file: 'client/features/undo/recorder.ts',
    text: 'if (this.#replica.base.cells(table, row).length > 0) continue;',
    replacement: '',
  },
  {
    title: '[UNDO-7] the end of a redo takes the held edits before it out of their steps',
    file: 'client/features/undo/own-writes.ts',
    text: 'if (isSecond) this.change(former, { after });',
    replacement: '',
  },
  {
    title: '[UNDO-8] steps keep as many characters as they like',
    file: 'client/features/undo/steps.ts',
    text: ' || characters > mostCharacters)',
    replacement: ')',
  },
  {
    title: '[OFFLINE-5] a page says hello for all closed tabs, before its own',
    file: 'client/offline/adoption.ts',
    text: 'if (client === undefined || this.#hellos >= MOST_HELLOS) return false;',
    replacement: 'if (client === undefined) return false;',
  },
  {
    title: '[OFFLINE-11] a hello for a closed tab has a push in parts begin anew',
    file: 'client/offline/adoption.ts',
    text: ' && !isSendingParts()',
    replacement: '',
  },
  {
    title:
      '[OFFLINE-11] a page without a network keeps the records of tabs that are loaded with it',
    file: 'client/offline/adoption.ts',
    text: 'const HOLD_MILLISECONDS = 300;',
    replacement: 'const HOLD_MILLISECONDS = 30_000;',
  },
  {
    title: '[OFFLINE-14] a page that has lost its lock sends before it knows whose its edits are',
    file: WRITER,
    text: 'isGenerationDurable(generation: number): boolean {\n    if (this.#isLost) return false;',
    replacement: 'isGenerationDurable(generation: number): boolean {',
  },
  {
    title: '[OFFLINE-14] a page that was put aside sends what another page has taken over',
    file: WRITER,
    text: 'if (!(removed ?? isOwn)) return false;',
    replacement: '',
  },
  {
    title: '[OFFLINE-14] a page that was put aside again goes on by what it read before',
    file: WRITER,
    text: 'if (loss !== this.#loss) return false;',
    replacement: '',
  },
  {
    title:
      '[OFFLINE-14] [OFFLINE-1] a page that is destroyed as it comes back writes what it reports',
    file: WRITER,
    text: '    this.#loss += 1;\n    this.#client',
    replacement: '    this.#client',
  },
  {
    title: '[OFFLINE-14] a page that was put aside goes on without a lock',
    file: 'client/offline/durable-outbox.ts',
    text: 'const release = await scope.locks?.take(lockOf(writer.record.id), 0, () => lock.onLost());',
    replacement: 'const release = (): void => undefined;',
  },
  {
    title: '[OFFLINE-14] what was edited while the lock was lost is dropped',
    file: WRITER,
    text: 'return { held, recordId: record.id };',
    replacement: 'return { recordId: record.id };',
  },
  {
    title: '[OFFLINE-14] a lock that was taken away is handed on, if its client has no record',
    file: OUTBOX,
    text: 'isTakenRecord(handed) && handed.writer.hasLock',
    replacement: 'isTakenRecord(handed)',
  },
  {
    title: '[OFFLINE-14] held edits that were said are sent twice if others were added',
    file: HELD,
    text: 'return this.#sinceSaid;',
    replacement: 'return held;',
  },
  {
    title: '[OFFLINE-14] held edits that were written are sent twice if others were added',
    file: HELD,
    text: 'return lack;',
    replacement: 'return lack.isEmpty ? lack : held;',
  },
  {
    title: '[OFFLINE-14] what the page said as it was put aside is sent twice',
    file: STORED,
    text: 'isLost ? Math.max(above, this.lastShared) : above',
    replacement: 'above',
  },
  {
    title: '[OFFLINE-14] a session that ends without its lock reports what another page has',
    file: WRITER,
    text: 'const isLost = this.#isLost && record.isKept;',
    replacement: 'const isLost = false;',
  },
  {
    title: '[OFFLINE-14] what the page said is sent twice by a session that comes after its end',
    file: WRITER,
    text: 'const isLost = this.#isLost;',
    replacement: 'const isLost = false;',
  },
  {
    title:
      '[OFFLINE-14] a page whose write came too late takes the record of another page for cleared',
    file: WRITER,
    text: ' && !this.#record.head.isSaid)',
    replacement: ')',
  },
  {
    title: '[OFFLINE-8] [OFFLINE-14] what a page has said once counts as said for ever',
    file: HEAD,
    text: '    if (!this.#isSpent) this.#said = undefined;\n',
    replacement: '',
  },
  {
    title: '[OFFLINE-14] a page that comes back waits for ever for a device that does not answer',
    file: DEVICE,
    text: 'return this.#inTime(asked);',
    replacement: 'return asked;',
  },
  {
    title:
      '[OFFLINE-14] [OFFLINE-1] what was sent, but not written, is sent again over newer edits',
    file: OUTBOX,
    text: "if (isSent) this.#owner.replica.withdraw(number, 'destroyed');",
    replacement: '',
  },
  {
    title:
      '[OFFLINE-7] [OFFLINE-13] held edits that were said are removed again and again from a full device',
    file: HELD,
    text: 'this.#mayBeStored = this.#isSaid = false;',
    replacement: 'this.#mayBeStored = false;',
  },
  {
    title: '[OFFLINE-14] held edits that were said, and removed since, are lost',
    file: HELD,
    text: 'this.#stored = this.#said = undefined;',
    replacement: 'this.#stored = undefined;',
  },
  {
    title:
      '[OFFLINE-14] held edits that were said are sent twice if the write after that is cut off',
    file: HELD,
    text: '    this.#isSaid = false;\n    if (this.#mayBeStored)',
    replacement:
      '    this.#isSaid = false;\n    this.#said = undefined;\n    if (this.#mayBeStored)',
  },
  {
    title: '[OFFLINE-14] a page without locks writes to the record that it was about to take over',
    file: 'client/offline/adoption.ts',
    text: 'if (this.#hasStopped) return undefined;',
    replacement: '',
  },
  {
    title: '[OFFLINE-14] a page that clears the device goes on though another page has its record',
    file: WRITER,
    text: 'if (!(removed ?? isOwn',
    replacement: 'if (!(removed !== undefined || isOwn',
  },
  {
    title: '[OFFLINE-14] a page that clears the device drops edits that no other page has',
    file: DEVICE,
    text: 'this.#removed = removed.catch(() => false);',
    replacement: '',
  },
  {
    title: '[OFFLINE-14] the next session never knows whose the record was that it has cleared',
    file: OUTBOX,
    text: 'if (own?.isLost === true) taken?.lock.onLost();',
    replacement: '',
  },
  {
    title: '[OFFLINE-14] a page that has cleared the device takes over the edits of others',
    file: OUTBOX,
    text: 'if (!this.#isForgotten) record.adoption',
    replacement: 'record.adoption',
  },
  {
    title: '[OFFLINE-14] a page that opens its record anew keeps a lock that it has taken before',
    file: OUTBOX,
    text: 'claimed.release();\n      return await',
    replacement: 'return await',
  },
  {
    title: '[OFFLINE-14] a lock that is lost while a page opens its record stays lost',
    file: OUTBOX,
    text: 'return await this.#open(life, keys, left, taken);',
    replacement: '',
  },
  {
    title: '[OFFLINE-14] the next session on the Store goes on without the lock that was lost',
    file: 'client/offline/durable-outbox.ts',
    text: 'if (taken?.writer.isLost === true) lock.onLost();',
    replacement: '',
  },
  {
    title:
      '[OFFLINE-14] a page whose device was full does not notice that another page has its record',
    file: WRITER,
    text: 'if (this.#hasFailed && !this.#record.isKept &&',
    replacement: 'if (this.#hasFailed &&',
  },
  {
    title: '[OFFLINE-13] who does what a page has said forgets also what that has said since',
    file: 'client/offline/last-words.ts',
    text: 'if (isLeft()) storage.removeItem(key);',
    replacement: 'storage.removeItem(key);',
  },
  {
    title: '[OFFLINE-13] what a page has said is valid still when it has come back',
    file: HEAD,
    text: 'this.#isSpent = true;',
    replacement: '',
  },
  {
    title: '[OFFLINE-13] the held edits that a page has said stay in its record',
    file: HELD,
    text: 'this.#isSaid ||= held !== undefined;',
    replacement: '',
  },
  {
    title: '[OFFLINE-13] a page takes its record for removed if others have put there what it said',
    file: DEVICE,
    text: 'return guard.value !== undefined && ',
    replacement: 'return false && ',
  },
  {
    title: '[OFFLINE-8] held edits that were written in parts are counted for each part',
    file: 'client/offline/client-record.ts',
    text: 'edits.add(key.slice(0, end.index + end[0].length));',
    replacement: 'edits.add(key);',
  },
  {
    title: '[OFFLINE-13] a page forgets what it has said before, when it says more',
    file: HEAD,
    text: 'text ?? this.#said?.text',
    replacement: 'text',
  },
  {
    title: '[OFFLINE-13] what a page has said is not valid after the write under way',
    file: HEAD,
    text: 'this.#nextText ?? now',
    replacement: 'now',
  },
  {
    title:
      '[OFFLINE-14] a page that was refused waits for its socket for ever when it has come back',
    file: 'client/session/session-state.ts',
    text: "'enter-again', 'reconnect'",
    replacement: "'enter-again'",
  },
  {
    title: '[OFFLINE-14] a page takes a record that another page has changed for removed',
    file: WRITER,
    text: 'const isOthers = record.keepsEdits && (await this.#storage.isThere());',
    replacement: 'const isOthers = false;',
  },
  {
    title: '[OFFLINE-14] the last words of another page leave the head as it was',
    file: HEAD,
    text: 'this.isStored && !isFirst && !this.#isRenaming',
    replacement: 'this.isStored && !this.#isRenaming',
  },
  {
    title: '[KEEP-2] a generation counts as durable before it is written',
    file: 'client/offline/durable-outbox.ts',
    text: 'record.writer.isGenerationDurable(generation) &&',
    replacement: '',
  },
  {
    title: '[KEEP-3] an ack is confirmed before the base has the push',
    file: 'client/offline/durable-outbox.ts',
    text: 'return writer === undefined || writer.hasFailed ? this.#confirmed : writer.record.confirmed;',
    replacement: 'return writer === undefined ? this.#confirmed : this.#confirmed;',
  },
  {
    title: '[OFFLINE-10] edits that are kept are reported when a client leaves',
    file: 'client/room/room-parts.ts',
    text: 'if (unsaved > 0 && !isKept)',
    replacement: 'if (unsaved > 0)',
  },
  {
    title: '[OFFLINE-10] a client without a network waits for the room when it leaves',
    file: 'client/room/room-parts.ts',
    text: '&& !isOnline())',
    replacement: '&& !isKept)',
  },
  {
    title: '[CLIENT-1] a client waits for edits that the app holds when it leaves',
    file: 'client/room/room-parts.ts',
    text: 'if (!persister.isAutoSaving() && !hasPending(persister)) return;',
    replacement: '',
  },
  {
    title: '[CLIENT-1] a client that has stopped saving leaves edits that are on their way',
    file: 'client/room/room-parts.ts',
    text: 'if (!persister.isAutoSaving() && !hasPending(persister)) return;',
    replacement: 'if (!persister.isAutoSaving()) return;',
  },
  {
    title: '[CLIENT-2] a socket that is closed asks the app once more',
    file: 'client/room/connection-attempts.ts',
    text: 'if (refused !== undefined && !socket.isWanted()) {',
    replacement: 'if (refused !== undefined && false) {',
  },
  {
    title: '[HTTP-7] any answer with success has the whole content',
    file: 'client/content/http-endpoint.ts',
    text: 'return status >= 200 && status < 204;',
    replacement: 'return status >= 200 && status < 300;',
  },
  {
    title: '[HTTP-8] a body has 30 s for all of it',
    file: 'client/content/http-endpoint.ts',
    text: '    limit.wait(SILENCE_MILLISECONDS);\n',
    replacement: '',
  },
  {
    title: '[HTTP-8] a body that trickles never ends',
    file: 'client/content/http-endpoint.ts',
    text: 'if (bytes >= awaited) {',
    replacement: 'if (bytes >= 0) {',
  },
  {
    title: '[HTTP-8] an error that trickles never ends',
    file: 'client/content/http-endpoint.ts',
    text: '{ ...limit, wait: () => undefined }',
    replacement: 'limit',
  },
  {
    title: '[HTTP-8] an error has any length',
    file: 'client/content/http-endpoint.ts',
    text: 'atOnce, undefined, MOST_ERROR_BYTES)',
    replacement: 'atOnce)',
  },
  {
    title: '[STOCK-4] a client waits for an answer of a stock room',
    file: 'client/stock/stock-sender.ts',
    text: '    replica.acknowledge();\n',
    replacement: '    break;\n',
  },
  {
    title: '[STOCK-5] a table that was left empty is not named',
    file: 'client/stock/stock-sender.ts',
    text: 'if (deletedTables === undefined || deletedTables.size === 0) return changes;',
    replacement: 'if (deletedTables === undefined || deletedTables.size >= 0) return changes;',
  },
  {
    title: '[VIEW-6] saving that starts within a transaction never begins',
    file: QUEUE,
    text: 'queue.unshift(event);',
    replacement: 'if (queue === messages) queue.unshift(event);',
  },
];
