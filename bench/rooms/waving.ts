import { TinyBasePartyKitServer } from '../../src/server/index.ts';
import { createEvents, procedure } from '../../src/server/features/events/index.ts';

/** The room that is measured: a wave goes to everybody. */
export default class WavingRoom extends TinyBasePartyKitServer {
  readonly events: unknown = createEvents(this, {
    wave: procedure.broadcast((_none, caller) => ({ waved: { by: caller.id, text: 'hello' } })),
  });
}
