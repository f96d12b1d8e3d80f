import type { Adversity } from './adversities.ts';
import type { Choices } from './choices.ts';
import type { HttpAnswer, HttpRequest } from './http.ts';
import type { World } from './world.ts';

/** The time for which a cache answers from its copy, even against the room's headers. */
const FRESH_MILLISECONDS = 600_000;
/** Of a hundred requests that it could answer, while others are busy; afterwards it answers them all. */
const CACHE_PERCENT = 70;
const FOREIGN_PERCENT = 25;
/** Of a hundred worlds with foreign answers, in so many no PUT ever reaches the room. */
const NO_PUT_PERCENT = 25;

const SIGN_IN: HttpAnswer = {
  status: 200,
  headers: { 'content-type': 'text/html' },
  body: '<!doctype html><title>Sign in</title>',
};

/** Answers that no room has given, as proxies, sign-in pages and an app's own handlers give them. */
const FOREIGN: readonly HttpAnswer[] = [
  SIGN_IN,
  { status: 200, headers: {}, body: '' },
  { status: 403, headers: {}, body: 'Forbidden' },
  { status: 405, headers: {}, body: '' },
  { status: 413, headers: {}, body: '<h1>413 Request Entity Too Large</h1>' },
  { status: 500, headers: {}, body: 'Error' },
  { status: 502, headers: {}, body: '' },
];

interface Cached {
  readonly answer: HttpAnswer;
  readonly until: number;
}

/** A proxy or cache between clients and the room that changes requests and answers. */
export class Middlebox {
  readonly #world: World;
  readonly #has: (adversity: Adversity) => boolean;
  readonly #renameETag: (etag: string) => string | undefined;
  readonly #letsPutPass: boolean;
  readonly #cache = new Map<string, Cached>();

  constructor(world: World, has: (adversity: Adversity) => boolean, choices: Choices) {
    this.#world = world;
    this.#has = has;
    this.#renameETag = choices.pick<(etag: string) => string | undefined>([
      (etag) => `W/${etag}`,
      (etag) => etag.replace(/"$/, '-gzip"'),
      () => undefined,
    ]);
    this.#letsPutPass = !choices.percent(NO_PUT_PERCENT);
  }

  /** Returns the answer to a request that does not reach the room; undefined if it does. */
  answerInstead(request: HttpRequest, choices: Choices, isActive: boolean): HttpAnswer | undefined {
    const isBlocked = request.method === 'PUT' && !this.#letsPutPass;
    if (
      this.#has('foreign-answers') &&
      (isBlocked || (isActive && choices.percent(FOREIGN_PERCENT)))
    )
      return choices.pick(FOREIGN);
    if (request.method !== 'GET' || !this.#has('old-cache')) return undefined;
    const cached = this.#cache.get(request.url);
    if (cached === undefined || cached.until < this.#world.clock.now()) return undefined;
    return !isActive || choices.percent(CACHE_PERCENT) ? cached.answer : undefined;
  }

  /** Returns the room's answer as the client gets it. */
  pass(request: HttpRequest, answer: HttpAnswer): HttpAnswer {
    if (request.method !== 'GET' || answer.status !== 200) return answer;
    const passed = this.#has('proxy-etag') ? this.#withOtherETag(answer) : answer;
    const until = this.#world.clock.now() + FRESH_MILLISECONDS;
    // The oldest one is the worst.
    const cached = this.#cache.get(request.url);
    if (cached === undefined || cached.until < this.#world.clock.now())
      this.#cache.set(request.url, { answer: passed, until });
    return passed;
  }

  #withOtherETag(answer: HttpAnswer): HttpAnswer {
    const { etag = '', ...headers } = answer.headers;
    const renamed = this.#renameETag(etag);
    return { ...answer, headers: renamed === undefined ? headers : { ...headers, etag: renamed } };
  }
}
