import { durableObject, type RoomNamespace } from '../../src/server/durable-object.ts';
import { frameFor } from './bare-events.ts';
import PresentRoom from './present.ts';
import WavingRoom from './waving.ts';

export const Eventful: unknown = durableObject(WavingRoom);
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
    const frame = frameFor(message);
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
