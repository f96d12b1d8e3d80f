import type { SourceMutation } from './source-mutation.ts';

const ROOM = 'server/features/presence/room-presence.ts';
const STORE = 'server/features/presence/presence-store.ts';
const CLIENT = 'client/features/presence/client-presence.ts';

/** The mutations of PRES: histories have no presence. */
export const PRESENCE_MUTATIONS: readonly SourceMutation[] = [
  {
    title: '[PRES-1] who joins gets its own row instead of the picture',
    file: ROOM,
    text: 'changes: this.#presence.picture() });',
    replacement: 'changes: this.#presence.ownChanges(id) });',
  },
  {
    title: '[PRES-2] a client says itself which user it is',
    file: 'server/features/presence/presence-row.ts',
    text: 'const decision = cells.has(USER) ? reservedCell() : validateRow(cells, schema);',
    replacement: 'const decision = validateRow(cells, schema);',
  },
  {
    title: '[PRES-3] whoever has the id of a connection shares its row',
    file: ROOM,
    text: 'if (sharing !== undefined && sharing.userId !== userId) return false;',
    replacement: '',
  },
  {
    title: '[PRES-3] whose id another user has taken tries again with the same',
    file: CLIENT,
    text: 'isTaken ? takeAnotherId : join',
    replacement: 'join',
  },
  {
    title: '[PRES-4] who leaves keeps the row as long as the socket is open',
    file: ROOM,
    text: "case 'leave':\n        this.#leave(connection);",
    replacement: "case 'leave':",
  },
  {
    title: '[PRES-5] the room tells an author what it has said itself',
    file: STORE,
    text: 'const [author] = this.#authors.size === 1 ? this.#authors : [];',
    replacement: 'const author = undefined;',
  },
  {
    title: '[PRES-5] a client moves in front of nobody',
    file: CLIENT,
    text: "else if (state !== 'joined' || !isDirty || !others.size) return 0;",
    replacement: "else if (state !== 'joined' || !isDirty) return 0;",
  },
  {
    title: '[PRES-6] a row that is refused deletes what was there',
    file: ROOM,
    text: "if (decision.type === 'taken') this.#write(member, member.id, decision.cells, undefined);",
    replacement:
      "this.#write(member, member.id, decision.type === 'taken' ? decision.cells : NO_CELLS, undefined);",
  },
  {
    title: '[PRES-6] a client sends a row that no host takes',
    file: CLIENT,
    text: 'if (json.length > LONGEST_ROW) {',
    replacement: 'if (json.length < 0) {',
  },
  {
    title: '[PRES-6] a row goes back over what the app has set since',
    file: CLIENT,
    text: 'cells.forEach((cell) => write(input.get(cell), cell));',
    replacement: 'cells.forEach((cell) => write(before.get(cell), cell));',
  },
  {
    title: '[PRES-7] a correction shows, whatever the app has set since',
    file: CLIENT,
    text: 'if (cell === USER || input.get(cell) !== sent.get(cell)) continue;',
    replacement: 'if (cell === USER) continue;',
  },
  {
    title: '[PRES-8] a room that slept tells nobody what it has found',
    file: ROOM,
    text: 'if (hasSlept) this.#broadcast.picture();',
    replacement: '',
  },
  {
    title: '[PRES-9] a client goes on showing the others when the connection is lost',
    file: CLIENT,
    text: "if (state !== 'closed') endLinger ??= after(lingerMilliseconds, dropOthers);",
    replacement: '',
  },
  {
    title: '[PRES-10] who is asked has no time to answer',
    file: ROOM,
    text: 'if (later !== sign && later !== -Infinity) continue;',
    replacement: '',
  },
];
