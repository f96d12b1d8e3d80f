import { hasMethods } from '../../protocol/has-methods.ts';
import { notGot } from '../../protocol/option-kinds.ts';

/** Throws `misuse` for what is no storage, or for a prefix that is no text, as in code without types: nothing was read or removed. */
export function assertStorage(caller: string, storage: unknown, storagePrefix: unknown): void {
  if (!hasMethods(storage, ['get', 'put', 'delete', 'list']))
    throw notGot(caller, 'storage as its first parameter. In a room, that is this.party.storage');
  if (typeof storagePrefix !== 'string') throw notGot(caller, 'text as its storagePrefix');
}
