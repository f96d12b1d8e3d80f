import { TinyBasePartyKitServer } from '../../src/server/index.ts';
import { createPresence } from '../../src/server/features/presence/index.ts';

/** The room that is measured: everybody sees who moves. */
export default class PresentRoom extends TinyBasePartyKitServer {
  readonly presence: unknown = createPresence(this);
}
