import { decodeSendableContent } from '../../protocol/codec.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';

/** Reads content that the app gives as a value. Throws for anything else, also for numbers that JSON would change. */
export function readGivenContent(given: unknown): LeafMap<Leaf> | undefined {
  return decodeSendableContent(JSON.stringify(given, asItIs) ?? '');
}

function asItIs(_key: string, value: unknown): unknown {
  if (typeof value !== 'number' || Number.isFinite(value)) return value;
  throw new RangeError(`${value} is in it`);
}
