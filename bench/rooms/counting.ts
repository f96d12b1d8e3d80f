import type { Request } from 'partykit/server';

import { TinyBasePartyKitServer } from '../../src/server/index.ts';

const NAMESPACE = '@tinybase-partykit/';

/** A room that tells what it has on disk. */
export default class CountingRoom extends TinyBasePartyKitServer {
  override async onRequest(request: Request): Promise<Response> {
    if (!request.url.endsWith('/counts')) return await super.onRequest(request);
    const { storage } = this.party;
    const manifest = await storage.get(`${NAMESPACE}manifest`);
    const log = await storage.list<unknown>({ prefix: `${NAMESPACE}log/` });
    const blobs = await storage.list<unknown>({ prefix: `${NAMESPACE}blob/` });
    return Response.json({
      logRows: log.size,
      logBytes: sizeOf(log),
      blobs: blobs.size,
      blobBytes: sizeOf(blobs),
      // One line for each, after the first.
      clientRecords: typeof manifest === 'string' ? manifest.split('\n').length - 1 : -1,
    });
  }
}

function sizeOf(values: Map<string, unknown>): number {
  let size = 0;
  for (const value of values.values()) {
    if (typeof value === 'string') size += value.length;
    else if (ArrayBuffer.isView(value)) size += value.byteLength;
  }
  return size;
}
