import type { Request } from 'partykit/server';

import {
  TinyBasePartyKitServer,
  type TinyBasePartyKitServerConfig,
} from '../../src/server/index.ts';

const BODY_BYTES = 64 * 1024 * 1024;

/** The room that is measured. It takes a million cells, which the default limits refuse. */
export default class OurRoom extends TinyBasePartyKitServer {
  override config: TinyBasePartyKitServerConfig = {
    limits: { contentBytes: Infinity, bodyBytes: BODY_BYTES, waitingBodyBytes: BODY_BYTES },
  };

  #longestHold = 0;
  #watch: ReturnType<typeof setInterval> | undefined;

  override async onRequest(request: Request): Promise<Response> {
    if (request.url.endsWith('/snapshot')) {
      const manifest = await this.party.storage.get<string>('@tinybase-partykit/manifest');
      return Response.json(JSON.parse(manifest?.split('\n')[0] ?? 'null'));
    }
    if (!request.url.endsWith('/hold')) return await super.onRequest(request);
    // How long nothing else got its turn since the last time this was asked.
    const held = this.#longestHold;
    this.#longestHold = 0;
    let last = Date.now();
    this.#watch ??= setInterval(() => {
      const now = Date.now();
      this.#longestHold = Math.max(this.#longestHold, now - last);
      last = now;
    }, 1);
    return Response.json({ held });
  }
}
