import type { SeededRandom } from '../support/seeded-random.ts';

/** What somebody might send who means harm, or whose program is broken. */
export interface HostileRequest {
  readonly method: string;
  readonly path: string;
  readonly body: string | Uint8Array | undefined;
}

type NonEmpty<Item> = readonly [Item, ...Item[]];

const IDS: NonEmpty<string> = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '',
  'a',
  'b',
  '0',
  '-1',
  '\u0000',
  '\uFFFC',
  '\uFFFD',
  '\uFFFD{}',
  '\uD800',
  '\u{1F388}',
  '../../etc',
  '@tinybase-partykit/manifest',
  'x'.repeat(3_000),
];
const LEAVES: NonEmpty<string> = [
  '0',
  '-0',
  '1.5',
  '1e308',
  '1e309',
  '9007199254740993',
  'true',
  'false',
  'null',
  '""',
  '"text"',
  '"\uFFFC"',
  '"\uFFFD"',
  '"\uFFFD{\\"a\\":[1,null]}"',
  '"\uFFFD[1,"',
  '"\uFFFD7"',
  '"\uFFFD{\\"__proto__\\":{\\"polluted\\":1}}"',
  '{"__proto__":{"polluted":1}}',
  '[[[[]]]]',
  '{}',
  '[]',
  '"\\ud800"',
  `"${'y'.repeat(2_000)}"`,
  `${'['.repeat(2_000)}${']'.repeat(2_000)}`,
  `"\uFFFD${'['.repeat(2_000)}${']'.repeat(2_000)}"`,
];
/** These a Store takes, or deletes by. */
const SOUND_LEAVES: NonEmpty<string> = [
  '0',
  '1.5',
  'true',
  'null',
  '"text"',
  '"\uFFFC"',
  '{}',
  '[[]]',
];
const COUNTS: NonEmpty<string> = [
  '0',
  '1',
  '2',
  '3',
  '-1',
  '1.5',
  '1e400',
  '9007199254740991',
  '9007199254740992',
  'null',
  '"1"',
  '[]',
  '{}',
];
const CHARACTERS = '{}[]":,\\spiwhcaoem0123456789-+.eE_\u0000\n\uFFFC\uFFFD\uD800';
const METHODS: NonEmpty<string> = ['PUT', 'PUT', 'PUT', 'POST', 'GET', 'HEAD', 'DELETE', 'PATCH'];
const PATHS: NonEmpty<string> = [
  '/store',
  '/store',
  '/store',
  '/',
  '/store/',
  '/store?x=1',
  '/%2e%2e/store',
  '//store',
];
/** Larger than anything made from the pieces above needs. */
const MOST_CHARACTERS = 20_000;

/** Makes frames and requests: of the right structure with wrong contents, and from these any other text. */
export class HostileInput {
  readonly #random: SeededRandom;
  /** Ids that connections of this attacker have said hello with. */
  readonly clientIds: string[] = [];
  #generation = 1;
  #isSound = false;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** A frame. Half of them a room might take, if the number is that of the next push; others at least look like it. */
  frame(nextPush: number): string | Uint8Array {
    this.#isSound = this.#random.below(2) === 0;
    const frame = this.#structured(nextPush);
    const choice = this.#random.below(20);
    if (choice < 10 || this.#isSound) return frame;
    const mangled = this.#mangle(frame);
    return choice < 19 ? mangled : new TextEncoder().encode(mangled);
  }

  request(): HostileRequest {
    const { pick, below } = this.#random;
    this.#isSound = below(2) === 0;
    const method = pick(METHODS);
    const text = `[${this.#tables()},${this.#values()}]`;
    const mangled = below(2) === 0 ? text : this.#mangle(text);
    const body =
      below(20) === 0 ? new TextEncoder().encode(mangled).map((byte) => byte ^ 0x80) : mangled;
    return {
      method,
      path: pick(PATHS),
      body: method === 'GET' || method === 'HEAD' ? undefined : body,
    };
  }

  /** A hello that is answered. */
  hello(cursor: string = 'null'): string {
    const clientId = `attacker${this.clientIds.length}`.padEnd(22, '-');
    this.clientIds.push(clientId);
    return `h{"protocol":1,"client":"${clientId}","generation":${this.#generation++},"cursor":${cursor},"next":1,"acked":0}`;
  }

  #structured(nextPush: number): string {
    const { below, pick } = this.#random;
    const number = this.#isSound ? String(nextPush) : this.#count();
    const kind = this.#isSound && below(8) > 0 ? pick([1, 3, 6]) : below(8);
    switch (kind) {
      case 0:
        return `h${this.#object([
          ['protocol', pick(['1', '1', '1', this.#count()])],
          ['client', pick([this.#clientId(), this.#leaf()])],
          ['generation', pick([String(this.#generation++), this.#count()])],
          ['cursor', pick(['null', `["epoch1",${this.#count()}]`, this.#leaf()])],
          ['next', this.#count()],
          ['acked', this.#count()],
        ])}`;
      case 3:
        return this.#part(number);
      case 1:
      case 2:
        return `p[${number},${this.#changes()}${this.#isSound || below(4) > 0 ? '' : `,${this.#count()}`}]`;
      case 4:
        return `i${pick(['[]', '[1]', '[2]', '{}', this.#leaf()])}`;
      case 5:
        return `${pick(['w', 'c', 'a', 'o', 'e', 'r', 'v', 'S', ''])}${this.#changes()}`;
      default:
        return `s[${this.#tables()},${this.#values()},${pick(['1', '1', this.#isSound ? '1' : this.#leaf()])}]`;
    }
  }

  /** A push in one part, or what looks like some part. */
  #part(number: string): string {
    const { below, pick } = this.#random;
    const json = `[${number},${this.#changes()}]`;
    if (this.#isSound) return `m[${number},0,${json.length},${JSON.stringify(json)}]`;
    const from = below(3) * below(json.length);
    const length = pick([String(json.length), this.#count()]);
    return `m[${number},${pick([String(from), this.#count()])},${length},${JSON.stringify(json.slice(from))}]`;
  }

  #changes(): string {
    const { below, pick } = this.#random;
    const deleted = (): string =>
      this.#object(
        this.#some(() => [
          this.#id(),
          pick(['0', '["a","__proto__"]', this.#isSound ? '0' : this.#leaf()]),
        ]),
      );
    return `[${this.#tables()},${this.#values()}${below(3) === 0 ? `,${deleted()}` : ''}]`;
  }

  #tables(): string {
    const { pick } = this.#random;
    const row = (): string => this.#object(this.#some(() => [this.#id(), this.#leaf()]));
    const table = (): string =>
      this.#object(
        this.#some(() => [
          this.#id(),
          pick([row(), row(), row(), '"\uFFFC"', this.#isSound ? row() : this.#leaf()]),
        ]),
      );
    return this.#object(
      this.#some(() => [
        this.#id(),
        pick([table(), table(), '"\uFFFC"', this.#isSound ? table() : this.#leaf()]),
      ]),
    );
  }

  #values(): string {
    return this.#object(this.#some(() => [this.#id(), this.#leaf()]));
  }

  #some<Item>(make: () => Item): Item[] {
    return Array.from({ length: 1 + this.#random.below(3) }, make);
  }

  /** Written by hand: an object would lose `__proto__` and what is there twice. */
  #object(entries: readonly (readonly [string, string])[]): string {
    return `{${entries.map(([id, json]) => `${JSON.stringify(id)}:${json}`).join(',')}}`;
  }

  #id(): string {
    return this.#random.pick(IDS);
  }

  #leaf(): string {
    return this.#random.pick(this.#isSound ? SOUND_LEAVES : LEAVES);
  }

  #count(): string {
    const { pick, below } = this.#random;
    return pick([pick(COUNTS), String(below(10)), String(below(1_000))]);
  }

  #clientId(): string {
    const { below } = this.#random;
    return JSON.stringify(this.clientIds[below(this.clientIds.length)] ?? 'A'.repeat(22));
  }

  #mangle(text: string): string {
    const { below } = this.#random;
    let mangled = text;
    for (let times = 1 + below(4); times > 0; times--) {
      const start = below(mangled.length + 1);
      const end = Math.min(mangled.length, start + 1 + below(below(2) === 0 ? 3 : 200));
      const part = mangled.slice(start, end);
      const [before, after] = [mangled.slice(0, start), mangled.slice(end)];
      const character = CHARACTERS[below(CHARACTERS.length)] ?? '';
      switch (below(6)) {
        case 0:
          mangled = before + after;
          break;
        case 1:
          mangled = before + part.repeat(1 + below(50)) + after;
          break;
        case 2:
          mangled = before + character + after;
          break;
        case 3:
          mangled = before + character + part + after;
          break;
        case 4:
          mangled = before;
          break;
        default:
          mangled = after + part + before;
      }
      mangled = mangled.slice(0, MOST_CHARACTERS);
    }
    return mangled;
  }
}
