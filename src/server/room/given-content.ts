import { decodeSendableContent } from '../../protocol/codec.ts';
import type { Leaf } from '../../protocol/leaf.ts';
import type { LeafMap } from '../../protocol/leaf-map.ts';

/** Reads content that the app gives as a value. Throws for anything else, also for what JSON would change or leave out without a word. */
export function readGivenContent(given: unknown): LeafMap<Leaf> | undefined {
  return decodeSendableContent(JSON.stringify(given, asItIs) ?? '');
}

function asItIs(_key: string, value: unknown): unknown {
  switch (typeof value) {
    case 'number':
      if (Number.isFinite(value)) return value;
      throw new RangeError(`${value} is in it`);
    case 'function':
    case 'symbol':
      throw new TypeError(`a ${typeof value} is in it`);
    case 'object':
      if (value === null || !isOpaque(value)) return value;
      throw new TypeError(`a ${value.constructor.name} is in it, whose content JSON does not show`);
    default:
      return value;
  }
}

/** True for a Map, a Set, a Promise that nobody has awaited, and the like: JSON would make `{}` of it. */
function isOpaque(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // A plain object of another realm has another prototype, which has none itself.
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return false;
  return !Array.isArray(value) && Object.keys(value).length === 0;
}
