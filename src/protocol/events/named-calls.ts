import { isReservedName } from './event-names.ts';

/** Does something by name, with or without data. */
type NamedCall = (name: string, data?: unknown) => unknown;

/**
 * Returns a function with two forms: `calls('name', data)` and `calls.name(data)`. Both do the same for every name, but
 * reserved names have only the first form: `calls.then` is undefined, so that nobody takes it for a promise.
 */
export function namedCalls(call: NamedCall): NamedCall {
  return new Proxy((name: string, data?: unknown) => call(name, data), {
    get: (target, key): unknown =>
      typeof key === 'string' && !isReservedName(key)
        ? (data?: unknown) => call(key, data)
        : Reflect.get(target, key),
  });
}
