import type { Choices } from './choices.ts';
import type { Middlebox } from './middlebox.ts';
import { PropertyFailure, type Occurrence, type Source, type World } from './world.ts';

/** A request of a client, as it arrives. */
export interface HttpRequest {
  readonly client: string;
  readonly method: string;
  readonly url: string;
  readonly body: string;
}

/** An answer, whole. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Whoever answers. Never rejects. */
export interface HttpServer {
  answer(request: HttpRequest): Promise<HttpAnswer>;
}

interface Exchange {
  readonly label: string;
  readonly request: HttpRequest;
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: unknown) => void;
  state: 'leaving' | 'at room' | 'answered';
  answer?: HttpAnswer;
}

/** So many times a client loads at most to get going. */
const MOST_AT_ONCE = 12;
const HOST = '.test/';
/** With these, a Response must not have a body. */
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** HTTP between clients and the room: a request reaches the room, the answer reaches the client; either may be lost. */
export class Http implements Source {
  /** Whether requests and answers get lost. */
  isLossy = true;
  readonly #world: World;
  readonly #weight: number;
  readonly #server: HttpServer;
  readonly #middlebox: Middlebox;
  /** The origin of its URLs, with a slash. */
  readonly #origin: string;
  readonly #name: string;
  readonly #exchanges = new Set<Exchange>();
  #count = 0;
  /** The number of loads of each client since time last passed. */
  readonly #burst = new Map<string, number>();
  #burstTime = 0;

  /** @param name before the numbers of its requests, if it is not the only one */
  constructor(world: World, weight: number, server: HttpServer, middlebox: Middlebox, name = '') {
    this.#origin = `http://${name === '' ? 'room' : name}${HOST}`;
    this.#name = name;
    this.#world = world;
    this.#weight = weight;
    this.#server = server;
    this.#middlebox = middlebox;
  }

  /** The URL of the room's content. */
  urlOf(client: string): string {
    return `${this.#origin}${encodeURIComponent(client)}/store`;
  }

  /** True if that URL is one of its own. */
  isIts(url: unknown): boolean {
    return typeof url === 'string' && url.startsWith(this.#origin);
  }

  /** The `fetch` of the clients. It rejects if anything gets lost. */
  async fetch(url: unknown, { method = 'GET', body = '' }: RequestInit = {}): Promise<Response> {
    if (typeof url !== 'string' || typeof body !== 'string')
      throw new Error('Here only text is fetched, and sent.');
    const client = decodeURIComponent(new URL(url).pathname.split('/')[1] ?? '');
    const request = { client, method, url, body };
    if (!this.isLossy && method === 'GET') this.#checkBurst(client);
    const answer = await new Promise<HttpAnswer>((resolve, reject) => {
      const label = `${client} ${request.method} #${this.#name}${(this.#count += 1)}`;
      this.#exchanges.add({ label, request, resolve, reject, state: 'leaving' });
    });
    const { status, headers } = answer;
    return new Response(BODILESS.has(status) ? null : answer.body, { status, headers });
  }

  /** The room's process dies: whoever waits for it gets no answer. */
  roomDied(): void {
    // Everybody begins anew, and may load.
    this.#burst.clear();
    for (const exchange of this.#exchanges) if (exchange.state === 'at room') this.#lose(exchange);
  }

  /** True while the room works on a request. */
  get isAtRoom(): boolean {
    for (const exchange of this.#exchanges) if (exchange.state === 'at room') return true;
    return false;
  }

  *occurrences(): Iterable<Occurrence> {
    for (const exchange of this.#exchanges) {
      if (exchange.state === 'leaving') {
        yield {
          label: `${exchange.label} arrives`,
          weight: this.#weight,
          happen: (choices) => this.#arrive(exchange, choices),
        };
      } else if (exchange.state === 'answered') {
        yield {
          label: `${exchange.label} answered`,
          weight: this.#weight,
          happen: () => this.#answer(exchange),
        };
      }
      if (this.isLossy && exchange.state !== 'at room') {
        yield { label: `${exchange.label} lost`, weight: 0.2, happen: () => this.#lose(exchange) };
      }
    }
  }

  /** A client that nobody disturbs does not load again and again without a pause. */
  #checkBurst(client: string): void {
    const now = this.#world.clock.now();
    if (now !== this.#burstTime) this.#burst.clear();
    this.#burstTime = now;
    const count = (this.#burst.get(client) ?? 0) + 1;
    this.#burst.set(client, count);
    if (count <= MOST_AT_ONCE) return;
    const message = `${client} loads ${count} times without a pause`;
    this.#world.fail(new PropertyFailure('patience', message));
  }

  #arrive(exchange: Exchange, choices: Choices): void {
    const { request } = exchange;
    const other = this.#middlebox.answerInstead(request, choices, this.isLossy);
    if (other !== undefined) {
      this.#answered(exchange, other);
      return;
    }
    exchange.state = 'at room';
    void this.#server
      .answer(request)
      .then((answer) => this.#answered(exchange, this.#middlebox.pass(request, answer)));
  }

  #answered(exchange: Exchange, answer: HttpAnswer): void {
    if (!this.#exchanges.has(exchange)) return;
    exchange.state = 'answered';
    exchange.answer = answer;
    this.#world.note(`    ${exchange.label}: ${answer.status} ${answer.headers['etag'] ?? ''}`);
  }

  #answer(exchange: Exchange): void {
    if (exchange.answer === undefined) return;
    this.#exchanges.delete(exchange);
    exchange.resolve(exchange.answer);
  }

  #lose(exchange: Exchange): void {
    this.#exchanges.delete(exchange);
    exchange.reject(new TypeError('fetch failed'));
  }
}
