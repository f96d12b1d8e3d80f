import {
  decodeClientMessage,
  decodeContent,
  encodeContent,
  encodeLoadedContent,
  encodeRoomMessage,
} from '../../src/protocol/codec.ts';
import { splitFrame } from '../../src/protocol/frame.ts';
import { SmallRoom } from './session/small-room.ts';

/** As much of a PartySocket as persisters use: ours, and TinyBase's own. */
export class FakePartySocket extends EventTarget {
  readonly name: string = 'main';
  readonly partySocketOptions: {
    host: string;
    room: string;
    query?: Record<string, string> | (() => Promise<Record<string, string>>);
  };
  readyState = 0;
  shouldReconnect = true;
  roomUrl: string;
  /** The URL of the last connection. */
  url = '';
  readonly sent: string[] = [];
  readonly closes: (readonly [number | undefined, string | undefined])[] = [];
  /** Called with each frame that is sent. */
  onSend: (frame: string) => void = () => undefined;

  constructor(room = 'room') {
    super();
    this.partySocketOptions = { host: 'host.test', room };
    this.roomUrl = `wss://host.test/parties/main/${room}`;
  }

  get room(): string {
    return this.partySocketOptions.room;
  }

  send(frame: string): void {
    if (this.readyState !== 1) throw new Error('PartySocket would have queued this');
    for (const message of splitFrame(frame)) {
      this.sent.push(message);
      this.onSend(message);
    }
  }

  open(): void {
    this.readyState = 1;
    this.url = `${this.roomUrl}?`;
    this.shouldReconnect = true;
    this.dispatchEvent(new Event('open'));
  }

  close(code?: number, reason?: string): void {
    if (code !== undefined) this.closes.push([code, reason]);
    this.shouldReconnect = false;
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.dispatchEvent(new Event('close'));
  }

  /** The other end closes it. */
  closeByServer(code: number, reason = ''): void {
    this.readyState = 3;
    this.dispatchEvent(Object.assign(new Event('close'), { code, reason }));
  }

  reconnect(): void {
    this.close();
    this.open();
  }

  receive(frame: unknown): void {
    this.dispatchEvent(new MessageEvent('message', { data: frame }));
  }
}

/** A small room on a fake socket, and the `fetch` that leads to it. */
export function roomOn(
  socket: FakePartySocket,
  prefix = '',
): { readonly room: SmallRoom; readonly fetch: typeof fetch; readonly requests: string[] } {
  const room = new SmallRoom((message) => {
    queueMicrotask(() => {
      if (socket.readyState === 1) socket.receive(encodeRoomMessage(prefix, message));
    });
  });
  socket.onSend = (frame) => {
    const message = decodeClientMessage(prefix, frame);
    if (message !== undefined) queueMicrotask(() => room.heard(message));
  };
  socket.addEventListener('close', () => room.disconnected());
  const requests: string[] = [];
  const answer = async (input: unknown, init: RequestInit = {}): Promise<Response> => {
    const { method = 'GET', body } = init;
    requests.push(`${method} ${String(input)}`);
    if (typeof body === 'string' && method === 'PUT') {
      const isNew = room.content === undefined;
      room.seed(decodeContent(body) ?? decodeEmpty());
      return new Response(null, { status: isNew ? 201 : 205 });
    }
    const text = room.content && encodeContent(room.content);
    const isCursorWanted = new URL(String(input)).searchParams.has('cursor');
    return new Response(isCursorWanted ? encodeLoadedContent(room.cursor, text) : text);
  };
  return { room, fetch: answer, requests };
}

function decodeEmpty(): never {
  throw new Error('a PUT without content');
}
