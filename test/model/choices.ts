/** Mixes 32 bits well: every bit of the input decides every bit of the output (MurmurHash3's finalizer). */
function mix(bits: number): number {
  let mixed = bits | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash;
}

const TWO_TO_32 = 4_294_967_296;

/**
 * All chance in a history. Each step of a history has choices of its own that depend on the seed and the number of
 * the step alone, so that a step can be left out of a failing history without changing what the others draw.
 */
export class Choices {
  /** The draws so far. */
  readonly lots: number[] = [];
  readonly #recorded: readonly number[];
  #state: number;

  /** Draws what was recorded, if anything is given, and goes on with chance. */
  constructor(seed: number, stream: number, recorded: readonly number[] = []) {
    this.#recorded = recorded;
    this.#state = mix(mix(seed) ^ Math.imul(stream + 1, 0x9e3779b1));
  }

  /** A whole number from 0 to `count - 1`. */
  below(count: number): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    const recorded = this.#recorded[this.lots.length];
    const lot =
      recorded !== undefined && recorded < count
        ? recorded
        : Math.floor((mix(this.#state) / TWO_TO_32) * count);
    this.lots.push(lot);
    return lot;
  }

  /** True in so many of a hundred cases. */
  percent(percentage: number): boolean {
    return this.below(100) < percentage;
  }

  /** One of them. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error('Nothing to pick from.');
    return item;
  }

  /**
   * One of them by weight, such that leaving out another item, or adding one, mostly leaves the choice as it is:
   * each item draws a lot of its own from its label, and the best lot wins.
   */
  pickStable<T extends { readonly label: string; readonly weight: number }>(
    items: readonly T[],
  ): T | undefined {
    const salt = this.below(TWO_TO_32);
    let best: T | undefined;
    let bestLot = Infinity;
    for (const item of items) {
      const lot = -Math.log((mix(hashText(item.label) ^ salt) + 1) / (TWO_TO_32 + 1)) / item.weight;
      if (lot < bestLot) {
        best = item;
        bestLot = lot;
      }
    }
    return best;
  }
}
