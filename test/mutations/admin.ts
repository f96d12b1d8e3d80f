import type { SourceMutation } from './source-mutation.ts';

const ENDPOINT = 'server/features/admin/admin-endpoint.ts';
const SIGNATURE = 'server/features/admin/signature.ts';
const USED = 'server/features/admin/used-signatures.ts';
const ADMINISTRATION = 'server/room/room-administration.ts';

/** The mutations of ADMIN: histories have no signed requests. */
export const ADMIN_MUTATIONS: readonly SourceMutation[] = [
  {
    title: '[ADMIN-1] a signature is good for any body',
    file: ENDPOINT,
    text: 'if ((await sha256Of(text)) !== sha256) {',
    replacement: "if (sha256 === '') {",
  },
  {
    title: '[ADMIN-1] the token of a user is a signature',
    file: SIGNATURE,
    text: '      typ: ADMIN_TOKEN_TYPE,\n',
    replacement: '',
  },
  {
    title: '[ADMIN-2] who is evicted may come back by itself',
    file: ADMINISTRATION,
    text: "this.#parts.delivery.refuse(peer, 'forbidden', EVICTED);",
    replacement: "this.#parts.delivery.refuse(peer, 'unavailable', EVICTED);",
  },
  {
    title: '[ADMIN-3] a short secret opens the endpoint',
    file: ENDPOINT,
    text: 'if (isSecret(secret)) return secret;',
    replacement: "if (typeof secret === 'string') return secret;",
  },
  {
    title: '[ADMIN-4] a command is run before it is stored that it was sent',
    file: ENDPOINT,
    text: 'await used.use(signature.id, signature.end, now);\n      const result = await this.#run(command);',
    replacement:
      'const result = await this.#run(command);\n      await used.use(signature.id, signature.end, now);',
  },
  {
    title: '[ADMIN-4] a clock that was set back makes old signatures good',
    file: USED,
    text: 'return end <= this.#forgotten;',
    replacement: 'return false;',
  },
  {
    title: '[ADMIN-5] a stranger costs an access to storage',
    file: ENDPOINT,
    text: 'const signature = await verifySignature(',
    replacement: 'await this.#usedSignatures();\n      const signature = await verifySignature(',
  },
  {
    title: '[ADMIN-6] who does not answer stays',
    file: ADMINISTRATION,
    text: "if (!peer.hasLeft && isSilent) delivery.close(peer, 'stale', SILENT);",
    replacement: '',
  },
  {
    title: '[ADMIN-7] commands wait until the room is loaded',
    file: ENDPOINT,
    text: 'readonly answersUnloaded = true;',
    replacement: 'readonly answersUnloaded = false;',
  },
];
