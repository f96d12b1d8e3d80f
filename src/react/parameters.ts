import { hasMethods } from '../protocol/has-methods.ts';
import { notGot } from '../protocol/option-kinds.ts';

/** Throws `misuse` for what is neither undefined nor an object with the method of a persister that a hook uses, as in code without types. */
export function assertPersister(hook: string, persister: unknown, method: string): void {
  if (persister === undefined) return;
  if (!hasMethods(persister, [method]))
    throw notGot(hook, 'persister or undefined as its first parameter');
}

/** Throws `misuse` for a listener that is no function. */
export function assertListener(hook: string, listener: unknown): void {
  if (typeof listener !== 'function') throw notGot(hook, 'function as its listener');
}
