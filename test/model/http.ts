import { TinyBasePartyKitError } from '../../src/protocol/errors.ts';
import type { Occurrence, Source, World } from './world.ts';

interface Exchange {
  readonly label: string;
  readonly atRoom: () => Promise<unknown>;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
  state: 'leaving' | 'at room' | 'answered';
  answer?:
    | { readonly type: 'result'; readonly result: unknown }
    | { readonly type: 'error'; readonly error: unknown };
}

/** HTTP between clients and the room: a request reaches the room, the answer reaches the client; either may be lost. */
export class Http implements Source {
  /** Whether requests and answers get lost. */
  isLossy = true;
  readonly #world: World;
  readonly #weight: number;
  readonly #exchanges = new Set<Exchange>();
  #count = 0;

  constructor(world: World, weight: number) {
    this.#world = world;
    this.#weight = weight;
  }

  /** `atRoom` runs when the request arrives. Rejects with its error, or with `network` if anything got lost. */
  request<T>(label: string, atRoom: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#exchanges.add({
        label: `${label} #${(this.#count += 1)}`,
        atRoom,
        // The answer is what atRoom resolved to.
        resolve: (answer) => resolve(answer as T),
        reject,
        state: 'leaving',
      });
    });
  }

  /** The room's process dies: whoever waits for it gets no answer. */
  roomDied(): void {
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
          happen: () => this.#arrive(exchange),
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

  #arrive(exchange: Exchange): void {
    exchange.state = 'at room';
    exchange.atRoom().then(
      (result) => this.#answered(exchange, { type: 'result', result }),
      (error: unknown) => this.#answered(exchange, { type: 'error', error }),
    );
  }

  #answered(exchange: Exchange, answer: NonNullable<Exchange['answer']>): void {
    if (!this.#exchanges.has(exchange)) return;
    exchange.state = 'answered';
    exchange.answer = answer;
    this.#world.note(
      `    ${exchange.label}: ${answer.type === 'error' ? String(answer.error) : 'done'}`,
    );
  }

  #answer(exchange: Exchange): void {
    this.#exchanges.delete(exchange);
    if (exchange.answer?.type === 'result') exchange.resolve(exchange.answer.result);
    else exchange.reject(exchange.answer?.error);
  }

  #lose(exchange: Exchange): void {
    this.#exchanges.delete(exchange);
    exchange.reject(new TinyBasePartyKitError('network', 'No answer.'));
  }
}
