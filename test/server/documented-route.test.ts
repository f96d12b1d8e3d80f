import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';
import { expect, test } from 'vitest';

import type { TinyBasePartyKitServer } from '../../src/server/index.ts';
import { StrictStorage } from '../support/strict-storage.ts';

const REPOSITORY = new URL('../../', import.meta.url);

/** The room with a route for a backend, as docs/server-writes.md has it. */
async function documentedRoom(): Promise<new (party: unknown) => TinyBasePartyKitServer> {
  const page = await readFile(new URL('docs/server-writes.md', REPOSITORY), 'utf8');
  const code = page.split('```ts\n').find((block) => block.includes('BACKEND_TOKEN')) ?? '';
  const { outputFiles } = await build({
    stdin: {
      contents: code.split('```')[0] ?? '',
      loader: 'ts',
      resolveDir: fileURLToPath(REPOSITORY),
    },
    alias: {
      'tinybase-partykit/server': fileURLToPath(new URL('src/server/index.ts', REPOSITORY)),
    },
    bundle: true,
    format: 'esm',
    write: false,
  });
  const module = (await import(
    `data:text/javascript,${encodeURIComponent(outputFiles[0]?.text ?? '')}`
  )) as { default: new (party: unknown) => TinyBasePartyKitServer };
  return module.default;
}

test('the route for a backend in docs/server-writes.md lets nobody in as long as its token is not set', async () => {
  const DocumentedRoom = await documentedRoom();
  const ask = async (token: unknown, authorization: string | undefined): Promise<number> => {
    const party = {
      id: 'room',
      env: { BACKEND_TOKEN: token },
      storage: new StrictStorage(),
      getConnections: () => [],
    };
    const request = new Request('http://host/parties/main/room/pets', {
      method: 'POST',
      body: '{"id":"fido","species":"dog"}',
      ...(authorization !== undefined && { headers: { Authorization: authorization } }),
    });
    const { status } = await new DocumentedRoom(party).onRequest(request as never);
    return status;
  };
  for (const token of [undefined, null, '', 0]) {
    for (const tried of [undefined, '', 'Bearer', 'Bearer ', `Bearer ${token}`, 'Bearer undefined'])
      expect(await ask(token, tried)).toBe(401);
  }
  expect(await ask('secret', 'Bearer undefined')).toBe(401);
  expect(await ask('secret', 'Bearer secret')).toBe(204);
});
