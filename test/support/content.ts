import { type Content, createStore, type Store } from 'tinybase';
import { PATIENCE_MILLISECONDS } from './pair.ts';
import { until } from './until.ts';

/** Content leaf by leaf: encoded leaves by where they are. */
export type Leaves = ReadonlyMap<string, string>;

const ENCODED = '\uFFFD';

const leafText = (leaf: unknown): string =>
  typeof leaf === 'string' && leaf.startsWith(ENCODED) ? leaf.slice(1) : JSON.stringify(leaf);

/** The leaves of content as a Store gives it, or as it comes over HTTP. */
export const leavesOf = ([tables, values]: Content): Leaves => {
  const leaves = new Map<string, string>();
  for (const [table, rows] of Object.entries(tables)) {
    for (const [row, cells] of Object.entries(rows)) {
      for (const [cell, leaf] of Object.entries(cells)) {
        leaves.set(JSON.stringify([table, row, cell]), leafText(leaf));
      }
    }
  }
  for (const [value, leaf] of Object.entries(values)) {
    leaves.set(JSON.stringify([value]), leafText(leaf));
  }
  return leaves;
};

/** A Store that holds this: what others must be equal to. */
export const storeOf = (content: Content): Store => createStore().setContent(content);

/** The leaves of a room, over HTTP; undefined if it has no Store. */
export const fetchLeaves = async (storeUrl: string): Promise<Leaves | undefined> => {
  const response = await fetch(storeUrl);
  const text = await response.text();
  if (response.status !== 200) {
    throw new Error(`GET ${storeUrl} was answered with ${response.status}: ${text.slice(0, 200)}`);
  }
  return text === '' ? undefined : leavesOf(JSON.parse(text) as Content);
};

/** What the first has that the second has not, or differently, and the other way round: at most five of them. */
export const differences = (first: Leaves, second: Leaves): readonly string[] => {
  const found: string[] = [];
  for (const address of new Set([...first.keys(), ...second.keys()])) {
    const [one, other] = [first.get(address), second.get(address)];
    if (one !== other) {
      found.push(`${address} ${one?.slice(0, 60)} | ${other?.slice(0, 60)}`);
    }
    if (found.length === 5) {
      break;
    }
  }
  return found;
};

/** Waits until all these Stores and what the room answers over HTTP are the same, and gives that content. */
export const untilEqual = async (
  stores: readonly Store[],
  storeUrl?: string,
  deadlineMilliseconds: number = PATIENCE_MILLISECONDS,
): Promise<Leaves> => {
  const [first = new Map<string, string>()] = await until(
    'Stores to be equal',
    async () => {
      const contents = stores.map((store) => leavesOf(store.getContent()));
      if (storeUrl !== undefined) {
        contents.push((await fetchLeaves(storeUrl)) ?? new Map());
      }
      for (const [index, content] of contents.entries()) {
        const found = differences(contents[0] ?? new Map(), content);
        if (found.length > 0) {
          throw new Error(`Stores differ: 0 and ${index} at ${found.join(', ')}`);
        }
      }
      return contents;
    },
    { deadlineMilliseconds },
  );
  return first;
};
