/** Random numbers that a seed repeats. */
export interface SeededRandom {
  readonly seed: number;
  /** A whole number from 0 to one below `limit`. */
  readonly below: (limit: number) => number;
  /** One of these. */
  readonly pick: <Item>(items: readonly [Item, ...Item[]]) => Item;
}

/** Makes random numbers from a seed: from the environment's `SEED`, or a new one. */
export const seededRandom = (
  seed: number = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31)),
): SeededRandom => {
  let state = seed;
  // Mulberry32, by Tommy Ettinger, in the public domain.
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return { seed, below, pick: (items) => items[below(items.length)] ?? items[0] };
};
