import type { SourceMutation } from './source-mutation.ts';

const DEFINITION = 'server/features/auth/define-auth.ts';
const GATE = 'server/features/auth/auth-gate.ts';
const REQUEST = 'server/features/auth/auth-request.ts';
const VERIFIER = 'server/features/auth/token-verifier.ts';

/** The mutations of GATE that no history can show: these are about tokens, headers and answers. */
export const GATE_MUTATIONS: readonly SourceMutation[] = [
  {
    title: '[GATE-1] a token whose verification never ends keeps its client waiting for ever',
    file: 'server/features/auth/auth-gate.ts',
    text: 'await inVerificationTime(verifying, after)',
    replacement: 'await verifying',
  },
  {
    title: '[GATE-1] a guard whose verification never ends keeps its client waiting for ever',
    file: 'server/features/auth/edge-guard.ts',
    text: 'await inVerificationTime(auth.verify(request, context), after)',
    replacement: 'await auth.verify(request, context)',
  },
  {
    title: '[GATE-1] a socket without a grant is in',
    file: GATE,
    text: "if (grant === undefined || this.#isRevoked(connection, grant)) return 'unknown';",
    replacement:
      "if (grant === undefined) return 'admitted';\n    if (this.#isRevoked(connection, grant)) return 'unknown';",
  },
  {
    title: '[GATE-2] the token of a header does not count where the query has one',
    file: REQUEST,
    text: "const token = bearer ?? new URL(url).searchParams.get(parameter) ?? '';",
    replacement: "const token = new URL(url).searchParams.get(parameter) ?? bearer ?? '';",
  },
  {
    title: '[GATE-2] a PUT counts whose token ended while its body came',
    file: 'server/http/store-endpoint.ts',
    text: "if (room.hasGate) await room.admitRequest(request, 'write');",
    replacement: '',
  },
  {
    title: '[GATE-3] a room with a key set takes an algorithm of secrets',
    file: VERIFIER,
    text: "'EdDSA', 'Ed25519'],",
    replacement: "'EdDSA', 'Ed25519', 'HS256'],",
  },
  {
    title: '[GATE-3] a token for one room is good in all',
    file: DEFINITION,
    text: " || typeof room !== 'string' || !coversRoom(room, context.room)) {",
    replacement: " || typeof room !== 'string') {",
  },
  {
    title: '[GATE-4] a socket is closed with a reason that is longer than hosts take',
    file: 'server/hosts/socket-host.ts',
    text: 'socket.close(code, shortened(reason));',
    replacement: 'socket.close(code, reason);',
  },
  {
    title: '[GATE-10] a page of any origin may use the room',
    file: DEFINITION,
    text: '    assertOrigin(request, origins);\n',
    replacement: '',
  },
  {
    title: '[GATE-10] an answer names the first origin that may read it, whichever asked',
    file: GATE,
    text: 'const named = origin !== null && origins.has(origin) ? origin : first;',
    replacement: 'const named = first;',
  },
  {
    title: '[GATE-11] a token is unauthorized where keys cannot be fetched',
    file: VERIFIER,
    text: "        'unavailable',\n        'The room cannot fetch the keys",
    replacement: "        'unauthorized',\n        'The room cannot fetch the keys",
  },
  {
    title: '[GATE-11] each token with an unknown key asks the provider',
    file: 'server/features/auth/remote-keys.ts',
    text: 'if (other === undefined || !isUnderWay(other)) return await load();',
    replacement: 'if (other !== current || other?.end !== null) return await load();',
  },
  {
    title: '[GATE-11] keys that cannot be fetched again are used for ever',
    file: 'server/features/auth/remote-keys.ts',
    text: 'const LONGEST_USE_MILLISECONDS = 3_600_000;',
    replacement: 'const LONGEST_USE_MILLISECONDS = Infinity;',
  },
];
