import { durableObject, type RoomNamespace } from '../../src/server/durable-object.ts';
import { TinyBasePartyKitServer } from '../../src/server/index.ts';
import { createEvents, procedure } from '../../src/server/features/events/index.ts';
import { createPresence } from '../../src/server/features/presence/index.ts';

/** The room that is measured: a wave goes to everybody. */
class WavingRoom extends TinyBasePartyKitServer {
  readonly events: unknown = createEvents(this, {
    wave: procedure.broadcast((_none, caller) => ({ waved: { by: caller.id, text: 'hello' } })),
  });
}

export const Eventful: unknown = durableObject(WavingRoom);

/** The room that is measured: everybody sees who moves. */
class PresentRoom extends TinyBasePartyKitServer {
  readonly presence: unknown = createPresence(this);
}

export const Present: unknown = durableObject(PresentRoom);

interface HibernatingContext {
  acceptWebSocket(socket: WebSocket): void;
  getWebSockets(): Iterable<WebSocket>;
}

/** The floor: a message goes to everybody, and nothing else happens. */
export class Bare {
  readonly #context: HibernatingContext;

  constructor(context: HibernatingContext) {
    this.#context = context;
  }

  fetch(): Response {
    const pair = new (Reflect.get(globalThis, 'WebSocketPair') as new () => [
      WebSocket,
      WebSocket,
    ])();
    this.#context.acceptWebSocket(pair[1]);
    return new Response(null, { status: 101, webSocket: pair[0] } as ResponseInit);
  }

  webSocketMessage(_socket: WebSocket, message: string): void {
    // What the room with the feature would send.
    const frame = message.startsWith('v')
      ? 'v["waved",{"by":"sender","text":"hello"},"sender"]'
      : `r[{"connections":{"sender":${message.slice(1)}}},{}]`;
    for (const socket of this.#context.getWebSockets()) socket.send(frame);
  }
}

export default {
  fetch: async (request: Request, parties: Record<string, RoomNamespace>): Promise<Response> => {
    const [, , party = '', room = ''] = new URL(request.url).pathname.split('/');
    const namespace = parties[party];
    if (namespace === undefined) return new Response('ready');
    return await namespace.get(namespace.idFromName(room)).fetch(request);
  },
};
