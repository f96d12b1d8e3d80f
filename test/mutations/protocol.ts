import type { SourceMutation } from './source-mutation.ts';

/** The mutations of rules about input that histories do not have. */
export const PROTOCOL_MUTATIONS: readonly SourceMutation[] = [
  {
    title: '[CHANGES-2] a table with the id __proto__ is lost',
    file: 'protocol/changes-codec.ts',
    text: 'const tables = emptyRecord<Json>();',
    replacement: 'const tables: MutableJsonObject = {};',
  },
  {
    title: '[CHANGES-4] a leaf has one level more',
    file: 'protocol/leaf.ts',
    text: 'export const DEEPEST_LEAF_LEVEL = 200;',
    replacement: 'export const DEEPEST_LEAF_LEVEL = 201;',
  },
  {
    title: '[FRAME-1] a frame without the prefix is ours',
    file: 'protocol/frame.ts',
    text: "if (typeof data !== 'string' || !data.startsWith(prefix)) return undefined;",
    replacement: "if (typeof data !== 'string') return undefined;",
  },
  {
    title: '[FRAME-3] a feature lets a closed socket queue its frames',
    file: 'client/platform/channel.ts',
    text: 'if (socket.isOpen()) socket.send(encodeFrame',
    replacement: 'socket.send(encodeFrame',
  },
  {
    title: '[FRAME-4] a connection of another version goes on',
    file: 'server/room/answer-hello.ts',
    text: "delivery.refuse(peer, 'protocol', text);",
    replacement: "delivery.sendError(peer, 'protocol', text);",
  },
  {
    title: '[FRAME-5] a frame of any length has several messages',
    file: 'protocol/frame.ts',
    text: 'return data.length <= JOINED_LENGTH && data.includes(SEPARATOR)',
    replacement: 'return data.includes(SEPARATOR)',
  },
  {
    title: '[FRAME-6] the text of an error has any length',
    file: 'protocol/messages/error.ts',
    text: "return message.replace(TAKEN, '$1');",
    replacement: 'return message;',
  },
  {
    title: '[LOCAL-3] what a toJSON gives stays encoded as an object',
    file: 'protocol/leaf.ts',
    text: 'return isUnsendableLeaf(encoded) ? canonicalLeaf(encoded) : encoded;',
    replacement: 'return encoded;',
  },
  {
    title: '[VIEW-7] a persister that ends takes for edits what the next one shows',
    file: 'protocol/observed-store.ts',
    text: 'if (this.#isStopping) this.stop();\n        this.#isOpen',
    replacement: 'this.#isOpen',
  },
];
